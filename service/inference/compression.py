"""A request to /compress: decode -> queue -> model -> encode as BPG, and read back what came of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import anyio
import numpy as np
from anyio import BrokenWorkerProcess, CapacityLimiter

from models.codecs import bpg, png, truecolor
from models.errors import BadOption, CodecError, ImageTooLarge
from models.evaluation import metrics
from models.palette_image import PaletteImage, nearest
from models.prediction import Prediction
from models.rgb import Pixels
from service.inference.admission import Admission, DecodeSlot, in_time
from service.inference.encoding_worker import Files, encode_all, warm_up
from service.inference.selection import Selection
from service.inference.stages import Stages
from service.runtime import timing
from service.runtime.timing import Timings
from service.runtime.worker_process import Run
from service.schemas.options import CompressOptions
from service.settings import Settings

_NARROWEST = 16  # side of a picture that x265 encodes: a narrow image costs as much as one of this width
_INDEX_COLORS = 2
_AUTO_SHARE = 8  # of the largest image: mode "auto" takes a dozen encodings

log = logging.getLogger("colorcnn.compression")


Wanted = Literal["report", "file", "picture"]
"""What is asked for: everything with a comparison, the BPG file alone, or what a viewer shows of it."""


@dataclass(frozen=True, eq=False)
class Version:
    """One form of an image, as a file.

    file: its bytes. fixed_size: those of them that do not depend on the picture; None for the upload, which may be of
    any format. coding: of a BPG file. mse: mean squared error to the upload. seen: the likeliest class; None where the
    classifier was not asked.
    """

    file: bytes
    fixed_size: int | None
    coding: bpg.Coding | None
    mse: float
    seen: Prediction | None


@dataclass(frozen=True, eq=False)
class Compressed:
    """The answer to /compress.

    image: what was painted. quantized: as an indexed PNG. original_bpg: the upload as BPG, only for a report.
    index_map_kept: whether the index map can be read back from the BPG file, only for a report. picture: what the BPG
    file shows as a 24-bit PNG, only where that is wanted.
    """

    selection: Selection
    options: CompressOptions
    image: PaletteImage
    original: Version
    quantized: Version
    quantized_bpg: Version
    original_bpg: Version | None
    index_map_kept: bool | None
    picture: bytes | None
    notes: tuple[str, ...]
    timings: Timings

    def bits_per_pixel(self, size: int) -> float:
        """Of a file of `size` bytes."""
        return metrics.bits_per_pixel(size, self.image.height, self.image.width)


class Compression:
    """Runs requests to /compress beside the others, which take a fraction of their time.

    At most `compress_queue_size` are inside. Of those, as many hold decoded pixels as there are encoders.

    Args:
        encoders: each encodes for one request at a time. Being cancelled must end the work, which x265 itself cannot.
    """

    def __init__(self, stages: Stages, settings: Settings, encoders: Sequence[Run]) -> None:
        self.admission = Admission(settings.compress_queue_size)
        self._stages = stages
        self._timeout = settings.compress_timeout
        self._max_pixels = min(settings.max_pixels, settings.compress_max_pixels)
        self._idle = list(encoders)
        self._decode_slots = CapacityLimiter(len(encoders))

    @property
    def in_flight(self) -> int:
        """How many requests are admitted."""
        return self.admission.in_flight

    @property
    def waiting(self) -> int:
        """How many of them wait for a place for their pixels."""
        return self._decode_slots.statistics().tasks_waiting

    async def warm(self) -> int:
        """Start the encoders; how many have done a first work. Failures are logged; the next work starts anew."""
        warm: list[Run] = []

        async def start(encoder: Run) -> None:
            try:
                await encoder(warm_up)
                warm.append(encoder)
            except Exception:
                log.exception("an encoder could not be started")

        async with anyio.create_task_group() as tasks:
            for encoder in self._idle:
                tasks.start_soon(start, encoder)
        return len(warm)

    async def compress(self, data: bytes, options: CompressOptions, wanted: Wanted) -> Compressed:
        """Paint the image in `data` and encode it as BPG; for a report the upload too, to be compared with.

        Raises the errors of `models.errors` for names, bytes and options, and OutOfTime.
        """
        selection = self._stages.engine.catalog.select(
            options.method, options.model, options.colors, fidelity=options.fidelity
        )
        _check_options(options)
        with in_time(self._timeout), timing.started():
            return await self._compress(data, options, selection, wanted)

    async def _compress(
        self, data: bytes, options: CompressOptions, selection: Selection, wanted: Wanted
    ) -> Compressed:
        async with DecodeSlot(self._decode_slots):
            decoded = await self._stages.decode(data, options, self._max_pixels)
            self._check_size(decoded.pixels, options.mode)
            image = await self._stages.quantize(decoded.pixels, options.colors, selection)
            _check_quantized(image, options)
            files = await self._encode(image, decoded.pixels if wanted == "report" else None, options)
            read_back = partial(self._read_back, decoded.pixels, image, files, options.mode)
            pictures = await self._stages.run("decode", read_back)
            seen = await self._recognize(pictures, selection) if options.recognize else [None] * len(pictures)
            versions = await self._stages.run("encode", partial(_measure, data, files, pictures, seen))
            shown = partial(truecolor.encode, pictures[2], effort="fast")
            kept = partial(_is_index_map_kept, image, pictures[2])
            picture = await self._stages.run("encode", shown) if wanted == "picture" else None
            index_map_kept = await self._stages.run("encode", kept) if wanted == "report" else None
        original, quantized, quantized_bpg, *others = versions
        return Compressed(
            selection=selection,
            options=options,
            image=image,
            original=original,
            quantized=quantized,
            quantized_bpg=quantized_bpg,
            original_bpg=others[0] if others else None,
            index_map_kept=index_map_kept,
            picture=picture,
            notes=decoded.notes,
            timings=timing.current().timings(),
        )

    def _check_size(self, pixels: Pixels, mode: bpg.Mode) -> None:
        """Raise ImageTooLarge for a narrow image that `decode` lets pass and x265 would fill up, and for `auto`."""
        height, width = (max(side, _NARROWEST) for side in pixels.shape[:2])
        if mode == "auto" and height * width > self._max_pixels // _AUTO_SHARE:
            raise ImageTooLarge(
                f"The mode 'auto' encodes an image many times, so that at most {self._max_pixels // _AUTO_SHARE:,} "
                "pixels are allowed. Leave out `mode`, or send a smaller image."
            )
        if height * width > self._max_pixels:
            raise ImageTooLarge(
                f"The image would be encoded as {width} x {height} pixels; at most {self._max_pixels:,} are allowed. "
                "Send one that is less narrow."
            )

    async def _encode(self, image: PaletteImage, original: Pixels | None, options: CompressOptions) -> Files:
        """Raises ImageTooLarge for what no BPG file holds."""
        encoder = self._idle.pop()  # there is one for each slot
        coding = bpg.Coding(options.qp, chroma=options.chroma)
        try:
            with timing.measure("encode"):
                return await encoder(encode_all, image, original, coding, options.mode)
        except CodecError as error:
            raise ImageTooLarge(str(error)) from error
        except BrokenWorkerProcess as error:
            log.exception("an encoder died")
            raise ImageTooLarge("The encoder died, probably of the memory it took. Send a smaller image.") from error
        finally:
            self._idle.append(encoder)

    def _read_back(self, pixels: Pixels, image: PaletteImage, files: Files, mode: bpg.Mode) -> list[Pixels]:
        """What each version shows: the upload, the indexed PNG, and one or two BPG files."""
        quantized = files.quantized.file
        if mode == "index":
            shown = bpg.read_index_plane(quantized, max_pixels=self._max_pixels).render()
        else:
            shown = bpg.decode(quantized, max_pixels=self._max_pixels)
        others = [bpg.decode(files.original.file, max_pixels=self._max_pixels)] if files.original else []
        return [pixels, image.render(), shown, *others]

    async def _recognize(self, pictures: Sequence[Pixels], selection: Selection) -> list[Prediction]:
        return [best for (best,) in await self._stages.predict(pictures, 1, selection.classifier)]


def _check_options(options: CompressOptions) -> None:
    if options.mode == "index" and options.colors != _INDEX_COLORS:
        raise BadOption(f"The mode 'index' stores two colors, not {options.colors}; ask for colors=2.")


def _check_quantized(image: PaletteImage, options: CompressOptions) -> None:
    if options.mode == "index" and image.colors != _INDEX_COLORS:
        raise BadOption("The mode 'index' stores two colors, but the painted image has only one; leave out `mode`.")


def _measure(
    upload: bytes, files: Files, pictures: Sequence[Pixels], seen: Sequence[Prediction | None]
) -> list[Version]:
    """The versions of `_read_back`, with what they show and what is seen in that."""
    errors = [metrics.mean_squared_error(pictures[0], picture) for picture in pictures]
    first, second, *others = zip(errors, seen, strict=True)
    coded = zip(filter(None, (files.quantized, files.original)), others, strict=True)
    return [
        Version(upload, None, None, *first),
        Version(files.png, png.fixed_bytes(files.png), None, *second),
        *(Version(each.file, bpg.fixed_bytes(each.file), each.coding, *found) for each, found in coded),
    ]


def _is_index_map_kept(image: PaletteImage, shown: Pixels) -> bool:
    """Whether each pixel is still nearest to its own color of the palette."""
    return np.array_equal(nearest(shown, image.compact().palette).render(), image.render())
