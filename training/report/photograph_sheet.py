"""Contact sheets of photographs: parts of them in few colors without scaling, and what a classifier recognizes.

    python -m training.report.photograph_sheet --photos kodim23.png kodim20.png --colors 4 --shorter-side 512 \\
        --classifier imagenet-efficientnet-lite0 --methods kmeans halftone --tile 224 224 --out sheet.webp

Each photograph is scaled to --shorter-side, quantized whole, written as an indexed PNG, read back and classified. A
tile shows a part of --tile pixels as they are, since scaling would average the dots of dithering. One photograph in
several numbers of colors makes a sheet with a row for each number and a column for each method; several photographs
make a sheet with a row for each method and a column for each photograph and number of colors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from PIL import Image
from pydantic import AfterValidator, Field, model_validator

from models.codecs import png
from models.decoding.decode import decode
from models.names import REFINED_IN_ONE_PASS, method_name
from models.quantizers.base import Quantizer
from models.quantizers.learned.colorcnn import load_quantizer
from models.quantizers.learned.prefiltering import load_prefilter
from models.recognizer import Recognizer, load_recognizer
from models.report.contact_sheet import Row, Tile, draw
from models.rgb import Pixels
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.options import ModelsOptions
from training.cli.quantizers import METHODS, UntrainedMethod, make_quantizer
from training.data.photographs import scaled
from training.loop.distributed import select_device
from training.options import Count, CountOrZero, SomeColors


def _check_ending(file: Path) -> Path:
    if file.suffix not in (".png", ".webp"):
        raise ValueError("must end with .png or .webp")
    return file


class PhotographSheetOptions(ModelsOptions):
    """Draw photographs in few colors by several methods, with what a classifier recognizes."""

    photos: Annotated[tuple[Path, ...], Field(min_length=1)]
    """Image files."""
    classifier: str
    """Published classifier that reads the photographs."""
    involved: tuple[str, ...] = ()
    """Further classifiers that refined methods follow."""
    quantizer: str | None = None
    """Published learned quantizer, which comes last."""
    methods: tuple[UntrainedMethod, ...] = METHODS
    """Quantizers that need no trained quantizer."""
    colors: SomeColors = (4,)
    """Numbers of colors."""
    shorter_side: Count = 512
    """Pixels that the shorter side of a photograph is scaled to."""
    tile: tuple[Count, Count] = (224, 224)
    """Width and height of the part of each photograph that is shown, in pixels."""
    corners: tuple[CountOrZero, ...] = ()
    """Left and top pixel of this part, two numbers for each photograph; the middle by default."""
    out: Annotated[Path, AfterValidator(_check_ending)]
    """PNG or WebP file to write, without loss."""

    @model_validator(mode="after")
    def _check_corners(self) -> Self:
        if self.corners and len(self.corners) != 2 * len(self.photos):
            raise ValueError(f"--corners needs {2 * len(self.photos)} numbers, two for each photograph")
        return self


@dataclass(frozen=True)
class Subject:
    """A photograph and the part of it that tiles show.

    pixels: the whole, (H, W, 3) uint8 sRGB. box: left, top, right and bottom of the part. before: index of the class
    that the classifier predicts for the whole.
    """

    name: str
    pixels: Pixels
    box: tuple[int, int, int, int]
    before: int

    def tile(self, pixels: Pixels, title: str, recognizer: Recognizer) -> Tile:
        """Return the tile of the photograph, or of its quantized form `pixels`."""
        [seen] = recognizer.predict(pixels)
        left, top, right, bottom = self.box
        return Tile(pixels[top:bottom, left:right], title, seen.label, seen.probability, seen.index == self.before)


def main(argv: Sequence[str] | None = None) -> Path:
    """Draw the sheet of a command line; return the written file."""
    options = command_line.parse(PhotographSheetOptions, "training.report.photograph_sheet", argv)
    registry, device = Registry.open(options.models), select_device("auto")
    recognizer = load_recognizer(registry, options.classifier, device)
    followed = [recognizer, *(load_recognizer(registry, name, device) for name in options.involved)]
    in_one_pass = REFINED_IN_ONE_PASS in options.methods
    prefilter = registry.manifest.prefilter(options.classifier) if in_one_pass else None
    network = load_prefilter(registry, prefilter, device) if prefilter else None
    quantizers = [make_quantizer(name, followed, prefilter=network) for name in options.methods]
    if options.quantizer:
        quantizers.append(load_quantizer(registry, options.quantizer, device))
    subjects = [_subject(options, place, recognizer) for place in range(len(options.photos))]
    layout = _by_colors if len(subjects) == 1 else _by_method
    columns, rows = layout(subjects, quantizers, options.colors, recognizer)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    how = {"optimize": True} if options.out.suffix == ".png" else {"lossless": True, "quality": 100, "method": 6}
    Image.fromarray(draw(columns, rows)).save(options.out, **how)
    return options.out


def _subject(options: PhotographSheetOptions, place: int, recognizer: Recognizer) -> Subject:
    file = options.photos[place]
    pixels = scaled(file, options.shorter_side)
    height, width = pixels.shape[:2]
    across, down = min(options.tile[0], width), min(options.tile[1], height)
    left, top = options.corners[2 * place : 2 * place + 2] or ((width - across) // 2, (height - down) // 2)
    left, top = min(left, width - across), min(top, height - down)
    [before] = recognizer.predict(pixels)
    return Subject(file.stem, pixels, (left, top, left + across, top + down), before.index)


def _by_colors(
    subjects: Sequence[Subject], quantizers: Sequence[Quantizer], colors: Sequence[int], recognizer: Recognizer
) -> tuple[list[str], list[Row]]:
    """Return headings and rows of the sheet of one photograph: the original, then a row for each number of colors."""
    [subject] = subjects
    columns = ["original", *(method_name(quantizer.name) for quantizer in quantizers)]
    original = subject.tile(subject.pixels, _size(subject), recognizer)
    rows = [
        Row(f"{k} colors", [original, *(_quantized(subject, quantizer, k, recognizer) for quantizer in quantizers)])
        for k in colors
    ]
    return columns, rows


def _by_method(
    subjects: Sequence[Subject], quantizers: Sequence[Quantizer], colors: Sequence[int], recognizer: Recognizer
) -> tuple[list[str], list[Row]]:
    """Return headings and rows of the sheet of several photographs: the originals, then a row for each method."""
    cells = [(subject, k) for subject in subjects for k in colors]
    originals = [subject.tile(subject.pixels, _size(subject), recognizer) for subject, _ in cells]
    rows = [
        Row(method_name(quantizer.name), [_quantized(subject, quantizer, k, recognizer) for subject, k in cells])
        for quantizer in quantizers
    ]
    return [f"{subject.name}, {k} colors" for subject, k in cells], [Row("original", originals), *rows]


def _quantized(subject: Subject, quantizer: Quantizer, colors: int, recognizer: Recognizer) -> Tile:
    file = png.encode(quantizer.quantize(subject.pixels, colors))
    return subject.tile(decode(file).pixels, f"{len(file):,} bytes", recognizer)


def _size(subject: Subject) -> str:
    height, width = subject.pixels.shape[:2]
    return f"of {width}x{height} pixels"


if __name__ == "__main__":
    command_line.run(main)
