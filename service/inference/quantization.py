"""The quantization of one decoded image: attempts to reach the goals of the request, each with its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from models.codecs import packed, png, raw, webp
from models.decoding.decode import DecodedImage
from models.decoding.showing import composited_note
from models.evaluation import metrics
from models.names import LEARNED_METHODS, PHOTOGRAPH_METHODS, PUBLISHED_METHOD
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.quantizers.smoothing import smoothed
from models.quantizers.transparency.transparency import Transparency
from models.rgb import Pixels, resize_to
from service.inference.goals import Goals, GoalSearch, Trial, any_number
from service.inference.selection import Selection
from service.inference.stages import Stages
from service.inference.work import Ranking
from service.inference.workload import scale_of
from service.runtime.timing import Timings
from service.schemas.fields import AUTO
from service.schemas.media_types import FileFormat
from service.schemas.options import QuantizeOptions

_EVERY_CLASS = 1 << 20  # more than any classifier has
_FLAT = "areas are flat, without dither, so that the file fits"
_SMOOTH = "the index map is smoothed, so that the file fits"
_SMOOTHED_PIXELS = 1 << 18  # most of an image whose index map is smoothed, in up to two dozen versions


@dataclass(frozen=True)
class Recognition:
    """Predictions of the classifier `model` before and after quantization.

    share: probability of the class `before` after quantization, divided by that before.
    """

    model: str
    before: Prediction
    after: Prediction
    share: float

    @property
    def kept(self) -> bool:
        """Whether the most probable class is the same."""
        return self.before.index == self.after.index


@dataclass(frozen=True, eq=False)
class Attempted:
    """One attempt: the image, its file, the recognition, which is None if it is switched off, and notes on alpha."""

    image: PaletteImage
    file: bytes
    recognition: Recognition | None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.file)

    @property
    def kept(self) -> bool:
        """See `service.inference.goals.Outcome.kept`."""
        return self.recognition is not None and self.recognition.kept

    @property
    def share(self) -> float:
        """See `service.inference.goals.Outcome.share`."""
        return 0.0 if self.recognition is None else self.recognition.share


@dataclass(frozen=True, eq=False)
class Quantized:
    """Result of /quantize for one upload.

    best: the attempt that the search for the goals selected. format: of its file. upload_name: from the client; empty
    if there was none. upload_bytes: size of the upload. goals_met: whether the best attempt reaches the goals of the
    request; None without goals. sha256: of each checkpoint, by the name of its model.
    """

    selection: Selection
    best: Attempted
    format: FileFormat
    upload_name: str
    upload_bytes: int
    goals_met: bool | None
    notes: tuple[str, ...]
    timings: Timings
    sha256: Mapping[str, str]

    @property
    def image(self) -> PaletteImage:
        return self.best.image

    @property
    def file(self) -> bytes:
        return self.best.file

    @property
    def recognition(self) -> Recognition | None:
        return self.best.recognition

    @property
    def is_larger(self) -> bool:
        """Whether the file has no fewer bytes than the upload."""
        return len(self.file) >= self.upload_bytes

    @property
    def bits_per_pixel(self) -> float:
        return metrics.bits_per_pixel(len(self.file), self.image.height, self.image.width)


class Quantization:
    """Quantizes one decoded image by the options of a request."""

    def __init__(self, stages: Stages, options: QuantizeOptions, selection: Selection, format: FileFormat) -> None:
        self._stages = stages
        self._options = options
        self._selection = selection
        self._format = format

    async def run(self, decoded: DecodedImage) -> tuple[Attempted, bool | None]:
        """Return the best attempt, and whether it reaches the goals. Raises DoesNotFit."""
        options = self._options
        goals = Goals(
            self._numbers(),
            options.share_to_keep,
            options.max_bytes,
            flat=self._selection.method in PHOTOGRAPH_METHODS and options.dither is None,
            smooths=self._may_smooth(decoded),
            scales=options.scale == AUTO,
        )
        scale = 1.0 if options.scale == AUTO else float(options.scale)
        search = GoalSearch(goals, partial(self._attempt, decoded), scale)
        fewest = options.colors == AUTO and options.share_to_keep is not None
        best = await search.run(fewest=fewest)
        return best, goals.are_met(best)

    def _numbers(self) -> Sequence[int]:
        if self._options.palette is not None:
            return (len(self._options.palette),)
        return any_number() if self._options.colors == AUTO else any_number(int(self._options.colors))

    def _may_smooth(self, decoded: DecodedImage) -> bool:
        """Return whether the index map of a small opaque image may be smoothed; raw files would not be shorter."""
        options = self._options
        is_small = decoded.layer is None and decoded.pixels.size // 3 <= _SMOOTHED_PIXELS
        is_free = options.palette is None and options.scale != AUTO and self._format != "raw"
        return is_small and is_free and self._selection.method in LEARNED_METHODS

    async def _attempt(self, decoded: DecodedImage, trial: Trial) -> Attempted:
        original, options = decoded.pixels, self._options
        selection = replace(self._selection, dither=False) if trial.flat else self._selection
        decoded = await self._scaled(decoded, trial.scale)
        plan = await self._transparency(decoded, trial.colors)
        recognition = None
        if plan is None and options.recognize and decoded.pixels is original and not trial.smooth:
            image, rankings = await self._stages.quantize_and_predict(original, trial.colors, selection)
            recognition = _recognition(selection.classifier, *rankings)
        else:
            image = await self._quantize(decoded.pixels, trial.colors, plan, selection)
            if trial.smooth:
                image = await self._smoothed(image, decoded.pixels)
            if options.recognize:
                pictures = (original, image.over(options.background_rgb()))
                recognition = _recognition(
                    selection.classifier, *await self._stages.predict(pictures, _EVERY_CLASS, selection.classifier)
                )
        if options.palette is None:
            image = self._ordered(image)
        file = await self._file(image)
        notes = self._notes(decoded, plan) + ((_FLAT,) if trial.flat else ()) + ((_SMOOTH,) if trial.smooth else ())
        return Attempted(image, file, recognition, notes)

    async def _scaled(self, decoded: DecodedImage, scale: float) -> DecodedImage:
        if scale == 1:
            return decoded
        sides = [max(1, round(scale * side)) for side in decoded.pixels.shape[:2]]
        return await self._stages.run("model", partial(_resized, decoded, *sides), decoded.pixels.size // 3)

    async def _transparency(self, decoded: DecodedImage, colors: int) -> Transparency | None:
        """Return the plan of an image with alpha; None where the image is opaque, or must become so."""
        layer = decoded.layer
        if layer is None or self._selection.method == PUBLISHED_METHOD:  # which has a network for that number alone
            return None
        fixed = self._options.palette is not None
        plan = partial(Transparency.of, layer.colors, layer.alpha, colors, fixed_palette=fixed)
        return await self._stages.run("model", plan, layer.alpha.size)

    async def _quantize(
        self, pixels: Pixels, colors: int, plan: Transparency | None, selection: Selection
    ) -> PaletteImage:
        if plan is None:
            return await self._stages.quantize(pixels, colors, selection)
        if selection.method in PHOTOGRAPH_METHODS:
            selection = replace(selection, backdrop=plan.backdrop(self._options.background_rgb()))
        image = await self._stages.quantize(plan.pixels, plan.colors, selection)
        return await self._stages.run("model", partial(plan.apply, image), image.indices.size)

    async def _smoothed(self, image: PaletteImage, pixels: Pixels) -> PaletteImage:
        """Return the first smoother version of an image whose file fits, or the smoothest."""
        limit = self._options.max_bytes or 0

        def search() -> PaletteImage:
            version = image
            for version in smoothed(image, pixels):
                if len(self._encode(self._ordered(version))) <= limit:
                    break
            return version

        return await self._stages.run_in_thread("encode", scale_of(image.indices.size), search)

    def _notes(self, decoded: DecodedImage, plan: Transparency | None) -> tuple[str, ...]:
        if decoded.layer is None:
            return ()
        composited = composited_note(self._options.background_rgb())
        return (
            (f"alpha kept; {composited} to be classified",) if plan else (f"{composited}: too few entries to keep it",)
        )

    def _ordered(self, image: PaletteImage) -> PaletteImage:
        """Return the image with the palette order of its file."""
        if self._format == "packed":
            return packed.ordered(image)
        return png.ordered(image, effort=self._options.effort) if self._format == "png" else image

    async def _file(self, image: PaletteImage) -> bytes:
        encode, pixels = partial(self._encode, image), image.indices.size
        if self._format == "packed":  # never quick: its coder takes microseconds for each pixel
            return await self._stages.run_in_thread("encode", scale_of(pixels), encode)
        return await self._stages.run("encode", encode, pixels)

    def _encode(self, image: PaletteImage) -> bytes:
        if self._format == "raw":
            return raw.encode(image)
        if self._format == "packed":
            return packed.encode(image, effort=self._options.effort, keep_order=True)
        if self._format == "webp":
            return webp.encode_lossless(image, effort=self._options.effort)
        return png.encode(image, effort=self._options.effort, keep_order=True)


def _recognition(classifier: str, before: Ranking, after: Ranking) -> Recognition:
    """Compare rankings; where one after quantization holds the best class alone, another class has no share."""
    label = before[0]
    kept = next((each.probability for each in after if each.index == label.index), 0.0)
    return Recognition(classifier, label, after[0], kept / label.probability if label.probability else 0.0)


def keeps_alpha(options: QuantizeOptions, format: FileFormat) -> bool:
    """Return whether the file of a request can have transparent entries; packed indices have none."""
    return options.alpha == "keep" and format != "raw"


async def scaled_down(decoded: DecodedImage, max_side: int | None, stages: Stages) -> DecodedImage:
    """Return an image whose longest side has at most `max_side` pixels, with a note where it had to be scaled."""
    height, width = decoded.pixels.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return decoded
    factor = max_side / max(height, width)
    sides = (max(1, round(factor * side)) for side in (height, width))
    scaled = await stages.run_in_thread("decode", scale_of(height * width), partial(_resized, decoded, *sides))
    return replace(scaled, notes=(*decoded.notes, f"scaled from {width}x{height}"))


def _resized(decoded: DecodedImage, height: int, width: int) -> DecodedImage:
    layer = decoded.layer and decoded.layer.scaled(height, width)
    return replace(decoded, pixels=resize_to(decoded.pixels, height, width), layer=layer)
