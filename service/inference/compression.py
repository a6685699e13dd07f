"""Requests to /compress: decode -> queue -> model -> encode as BPG -> decode and measure the BPG file."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
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
from service.inference.by_picture import ByPicture
from service.inference.encoding_worker import Files, encode_all, warm_up
from service.inference.quantization import scaled_down
from service.inference.selection import Selection
from service.inference.stages import Stages
from service.inference.workload import scale_of
from service.runtime import timing
from service.runtime.timing import Timings
from service.runtime.worker_process import Run
from service.schemas.options import CompressOptions
from service.settings import Settings

_NARROWEST = 16  # shortest side that x265 encodes; it pads narrower images
_INDEX_COLORS = 2
_AUTO_SHARE = 8  # fraction of the largest image for the mode "auto", which takes a dozen encodings

log = logging.getLogger("colorcnn.compression")

Output = Literal["report", "file", "picture"]
"""Product of /compress: the comparison of all versions, the BPG file alone, or the decoded BPG file as a PNG."""


@dataclass(frozen=True, eq=False)
class Version:
    """One version of an image, as a file.

    file: bytes of the file. fixed_size: number of bytes that do not depend on the picture; None for the upload, which
    may be of any format. coding: coding of a BPG file. mse: mean squared error against the upload. prediction: most
    probable class; None where the classifier did not run.
    """

    file: bytes
    fixed_size: int | None
    coding: bpg.Coding | None
    mse: float
    prediction: Prediction | None


@dataclass(frozen=True, eq=False)
class Compressed:
    """Result of /compress.

    image: the quantized image. quantized: the image as an indexed PNG. original_bpg: the upload as BPG, only for a
    report. index_map_kept: whether the index map can be restored from the BPG file, only for a report. picture: the
    decoded BPG file as a 24-bit PNG, only for the output "picture". sha256: of each checkpoint, by the name of its
    model.
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
    sha256: Mapping[str, str]

    def bits_per_pixel(self, size: int) -> float:
        """Return the bits per pixel of a file of `size` bytes."""
        return metrics.bits_per_pixel(size, self.image.height, self.image.width)


class Compression:
    """Runs requests to /compress apart from other requests, which take a fraction of the time.

    At most `compress_queue_size` requests are in flight. As many of them hold decoded pixels as there are encoders.

    Args:
        encoders: each encodes for one request at a time. Cancelling an encoder must end its work, which x265 itself
            cannot.
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
        """Number of admitted requests."""
        return self.admission.in_flight

    @property
    def waiting(self) -> int:
        """Number of admitted requests that wait for a decode slot."""
        return self._decode_slots.statistics().tasks_waiting

    async def warm(self) -> int:
        """Start the encoders, and return how many finished a first encoding. Failures are logged."""
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

    async def compress(self, data: bytes, options: CompressOptions, output: Output) -> Compressed:
        """Quantize the image in `data` and encode it as BPG; for a report, encode the upload as BPG, too.

        Raises the errors of `models.errors` for names, bytes and options, and OutOfTime.
        """
        selections = self._stages.selections(options)
        _check_options(options)
        with in_time(self._timeout), timing.started():
            return await self._compress(data, options, selections, output)

    async def _compress(
        self, data: bytes, options: CompressOptions, selections: ByPicture[Selection], output: Output
    ) -> Compressed:
        async with DecodeSlot(self._decode_slots):
            measured = await self._stages.measure(data)
            decoded = await self._stages.decode(data, options, self._max_pixels, measured)
            decoded = await scaled_down(decoded, options.max_side, self._stages)
            self._check_size(decoded.pixels, options.mode)
            selection = selections.of(decoded.pixels)
            image = await self._stages.quantize(decoded.pixels, options.colors, selection)
            _check_quantized(image, options)
            files = await self._encode(image, decoded.pixels if output == "report" else None, options)
            decode = partial(self._decode_all, decoded.pixels, image, files, options.mode)
            pictures = await self._stages.run_in_thread("decode", scale_of(image.indices.size), decode)
            predictions = await self._predict(pictures, selection) if options.recognize else [None] * len(pictures)
            measure = partial(_versions, data, files, pictures, predictions)
            versions = await self._stages.run_in_thread("encode", scale_of(image.indices.size), measure)
            index_map_kept, picture = await self._output(output, image, pictures[2])
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
            sha256=self._stages.engine.catalog.sha256,
        )

    def _check_size(self, pixels: Pixels, mode: bpg.Mode) -> None:
        """Raise ImageTooLarge for a narrow image that is too large once x265 pads it, and for `auto`."""
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
        """Encode in an idle worker. Raises ImageTooLarge for an image that no BPG file holds."""
        encoder = self._idle.pop()  # there is one for each decode slot
        coding = bpg.Coding(options.qp, chroma=options.chroma)
        try:
            with timing.measure("encode"):
                return await encoder(encode_all, image, original, coding, options.mode)
        except CodecError as error:
            raise ImageTooLarge(str(error)) from error
        except BrokenWorkerProcess as error:
            log.exception("an encoder died")
            raise ImageTooLarge("The encoder died, probably for lack of memory. Send a smaller image.") from error
        finally:
            self._idle.append(encoder)

    def _decode_all(self, original: Pixels, image: PaletteImage, files: Files, mode: bpg.Mode) -> list[Pixels]:
        """Return the pixels of each version: the upload, the indexed PNG, and one or two BPG files."""
        quantized = files.quantized.file
        if mode == "index":
            decoded = bpg.read_index_plane(quantized, max_pixels=self._max_pixels).render()
        else:
            decoded = bpg.decode(quantized, max_pixels=self._max_pixels)
        others = [bpg.decode(files.original.file, max_pixels=self._max_pixels)] if files.original else []
        return [original, image.render(), decoded, *others]

    async def _predict(self, pictures: Sequence[Pixels], selection: Selection) -> list[Prediction]:
        return [best for (best,) in await self._stages.predict(pictures, 1, selection.classifier)]

    async def _output(self, output: Output, image: PaletteImage, decoded: Pixels) -> tuple[bool | None, bytes | None]:
        """Return whether the index map is kept, for a report, and the decoded BPG file as a PNG, for a picture."""
        scale = scale_of(image.indices.size)
        if output == "report":
            compare = partial(_is_index_map_kept, image, decoded)
            return await self._stages.run_in_thread("encode", scale, compare), None
        if output == "picture":
            encode = partial(truecolor.encode, decoded, effort="fast")
            return None, await self._stages.run_in_thread("encode", scale, encode)
        return None, None


def _check_options(options: CompressOptions) -> None:
    if options.mode == "index" and options.colors != _INDEX_COLORS:
        raise BadOption(f"The mode 'index' stores two colors, not {options.colors}; ask for colors=2.")


def _check_quantized(image: PaletteImage, options: CompressOptions) -> None:
    if options.mode == "index" and image.colors != _INDEX_COLORS:
        raise BadOption("The mode 'index' stores two colors, but the quantized image has only one; leave out `mode`.")


def _versions(
    upload: bytes, files: Files, pictures: Sequence[Pixels], predictions: Sequence[Prediction | None]
) -> list[Version]:
    """Return the version of each picture; the pictures are in the order of `_decode_all`."""
    encoded: list[tuple[bytes, int | None, bpg.Coding | None]] = [
        (upload, None, None),
        (files.png, png.fixed_bytes(files.png), None),
        *((each.file, bpg.fixed_bytes(each.file), each.coding) for each in (files.quantized, files.original) if each),
    ]
    errors = [metrics.mean_squared_error(pictures[0], picture) for picture in pictures]
    return [Version(*file, mse, best) for file, mse, best in zip(encoded, errors, predictions, strict=True)]


def _is_index_map_kept(image: PaletteImage, decoded: Pixels) -> bool:
    """Return whether each decoded pixel is still nearest to its own palette color."""
    return np.array_equal(nearest(decoded, image.compact().palette).render(), image.render())
