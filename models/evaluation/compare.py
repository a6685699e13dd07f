"""The comparison: an image painted by a quantizer, written to a file, read back, measured and classified, as one row.

The service and the evaluation of whole datasets both make their rows here, so an image has the same row in both, but
for a pixel now and then where a network that paints many images at once rounds otherwise.
`compare` does all steps for one image; where images come by the thousands, `measure` runs in many processes (nothing
here imports torch) and a classifier reads their views in batches.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.codecs import png
from models.decoding.decode import decode
from models.evaluation import metrics
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.quantizers.base import Quantizer
from models.rgb import Pixels, resize


class Judge(Protocol):
    """The classifier of a comparison; `models.recognizer.Recognizer` is one."""

    @property
    def size(self) -> int:
        """Side of the square images that it looks at, in pixels."""

    def predict_batch(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """The likeliest class of each image: (B, size, size, 3) uint8 sRGB."""


@dataclass(frozen=True, eq=False)
class Sample:
    """An image to compare on.

    pixels: (H, W, 3) uint8 sRGB. before: what the classifier sees in it. truth: index of its true class, if known.
    """

    name: str
    pixels: Pixels
    before: Prediction
    truth: int | None = None


@dataclass(frozen=True)
class Setting:
    """What an image went through: a quantizer with at most `colors` colors, a codec at a `quality`, or both.

    model: name of the quantizer's checkpoint, None for one without. quality: that of JPEG and WebP, 1 to 100, or the QP
    of BPG, 0 to 51.
    """

    method: str
    model: str | None = None
    colors: int | None = None
    quality: int | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """A file and what it did to its image.

    file: as a user gets it. pixels: (H, W, 3) uint8 sRGB, read back from the file. view: (s, s, 3) uint8, what the
    classifier will look at. fixed_size: bytes of the file that do not depend on the picture. mse: mean squared error, 0
    to 65025. ssim: None for images too small for it. colors_used: different colors. milliseconds: that the quantizer
    or the encoder took.
    """

    file: bytes
    pixels: Pixels
    view: Pixels
    fixed_size: int
    mse: float
    ssim: float | None
    colors_used: int
    milliseconds: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """One image in one setting.

    bytes: size of the file. bits_per_pixel: of the whole file. payload_bits_per_pixel: without the bytes that do not
    depend on the picture (signature, headers, frames of chunks), which are a large part of a small file. mse: mean
    squared error, 0 to 65025. psnr: in dB; None where the image is exact. ssim: None for images too small for it.
    label, probability: the likeliest class of what was read back. kept: whether it is that of the original. right:
    whether it is the true class, None where that is not known.
    """

    image: str
    method: str
    model: str | None
    colors: int | None
    quality: int | None
    bytes: int
    bits_per_pixel: float
    payload_bits_per_pixel: float
    mse: float
    psnr: float | None
    ssim: float | None
    colors_used: int
    milliseconds: float
    label: str
    probability: float
    kept: bool
    right: bool | None

    @property
    def setting(self) -> Setting:
        """What the image went through."""
        return Setting(self.method, self.model, self.colors, self.quality)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Means over the images of one setting.

    kept, top1: shares of the images, the latter None where no image has a label. psnr: of the mean squared error over
    all images, in dB; None where all are exact. The rest: means of what a Row holds.
    """

    method: str
    model: str | None
    colors: int | None
    quality: int | None
    images: int
    kept: float
    top1: float | None
    bytes: float
    bits_per_pixel: float
    payload_bits_per_pixel: float
    psnr: float | None
    ssim: float | None
    colors_used: float
    milliseconds: float

    @property
    def setting(self) -> Setting:
        """What the images went through."""
        return Setting(self.method, self.model, self.colors, self.quality)


def compare(sample: Sample, setting: Setting, quantizer: Quantizer, judge: Judge) -> tuple[Row, Measured]:
    """Paint one image, write it as an indexed PNG, read it back, measure and classify it.

    Raises BadOption where the quantizer refuses the number of colors.
    """
    started = time.perf_counter()
    painted = quantizer.quantize(sample.pixels, setting.colors or 0)
    milliseconds = 1000 * (time.perf_counter() - started)
    measured = measure_palette(sample.pixels, painted, view=judge.size, milliseconds=milliseconds)
    (after,) = judge.predict_batch(measured.view[np.newaxis])
    return make_row(sample, setting, measured, after), measured


def measure_palette(pixels: Pixels, painted: PaletteImage, *, view: int, milliseconds: float = 0.0) -> Measured:
    """Write a palette image of `pixels` as a PNG file and measure that; see `measure`."""
    file = png.encode(painted)
    return measure(pixels, file, png.fixed_bytes(file), view=view, milliseconds=milliseconds)


def measure(pixels: Pixels, file: bytes, fixed_size: int, *, view: int, milliseconds: float = 0.0) -> Measured:
    """Read `file` back and compare it with the `pixels` that it was made from, (H, W, 3) uint8 sRGB.

    fixed_size: bytes of the file that do not depend on the picture. view: side of what the classifier looks at.
    milliseconds: that it took, where they were taken.
    """
    seen = decode(file, max_pixels=pixels.shape[0] * pixels.shape[1]).pixels
    return Measured(
        file=file,
        pixels=seen,
        view=resize(seen, view),
        fixed_size=fixed_size,
        mse=metrics.mean_squared_error(pixels, seen),
        ssim=metrics.ssim(pixels, seen),
        colors_used=metrics.count_colors(seen),
        milliseconds=milliseconds,
    )


def make_row(sample: Sample, setting: Setting, measured: Measured, after: Prediction) -> Row:
    """Put together what was measured and what the classifier sees now."""
    height, width = sample.pixels.shape[:2]
    size = len(measured.file)
    return Row(
        image=sample.name,
        method=setting.method,
        model=setting.model,
        colors=setting.colors,
        quality=setting.quality,
        bytes=size,
        bits_per_pixel=metrics.bits_per_pixel(size, height, width),
        payload_bits_per_pixel=metrics.bits_per_pixel(size - measured.fixed_size, height, width),
        mse=measured.mse,
        psnr=metrics.psnr(measured.mse),
        ssim=measured.ssim,
        colors_used=measured.colors_used,
        milliseconds=measured.milliseconds,
        label=after.label,
        probability=after.probability,
        kept=after.index == sample.before.index,
        right=None if sample.truth is None else after.index == sample.truth,
    )


def summarize(rows: Iterable[Row]) -> list[Summary]:
    """Means over the images of each setting, settings in the order of their first rows."""
    groups: dict[Setting, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.setting, []).append(row)
    return [_summary(setting, group) for setting, group in groups.items()]


def _summary(setting: Setting, rows: Sequence[Row]) -> Summary:
    return Summary(
        method=setting.method,
        model=setting.model,
        colors=setting.colors,
        quality=setting.quality,
        images=len(rows),
        kept=fmean(row.kept for row in rows),
        top1=_mean_of_known([row.right for row in rows]),
        bytes=fmean(row.bytes for row in rows),
        bits_per_pixel=fmean(row.bits_per_pixel for row in rows),
        payload_bits_per_pixel=fmean(row.payload_bits_per_pixel for row in rows),
        psnr=metrics.psnr(fmean(row.mse for row in rows)),
        ssim=_mean_of_known([row.ssim for row in rows]),
        colors_used=fmean(row.colors_used for row in rows),
        milliseconds=fmean(row.milliseconds for row in rows),
    )


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
