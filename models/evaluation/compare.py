"""Compare images: quantize or encode one, write its file, read the file back, measure it, classify it, make a row.

The service and the evaluation of whole datasets both make their rows here. An image has the same row in both, except
for single pixels where a network rounds differently in a large batch.

`compare` runs every step for one image. For thousands of images, `measure` runs in many processes, and a classifier
predicts the views in batches. No part of this module imports torch.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from statistics import fmean
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.codecs import png
from models.decoding.decode import decode
from models.evaluation import metrics
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.quantizers.base import Quantizer
from models.rgb import Pixels, ViewGeometry


class BatchClassifier(Protocol):
    """A classifier of square images; `models.recognizer.Recognizer` is one."""

    @property
    def views(self) -> ViewGeometry:
        """What the classifier sees of an image, and how it is scaled to the images that the classifier accepts."""

    def predict_batch(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """Return the likeliest class of each view, in order. images: (B, size, size, 3) uint8 sRGB."""


@dataclass(frozen=True, eq=False)
class Sample:
    """An image to compare on.

    pixels: (H, W, 3) uint8 sRGB. before: the prediction for the original. truth: index of its true class, if known.
    """

    name: str
    pixels: Pixels
    before: Prediction
    truth: int | None = None


@dataclass(frozen=True)
class Setting:
    """Treatment of an image: a quantizer with at most `colors` colors, a codec, or a quantizer and then a codec.

    Attributes:
        method: name of the quantizer, or of the codec where nothing was quantized.
        model: name of the quantizer's checkpoint.
        colors: largest number of palette entries, 1 to 256.
        quality: quality of JPEG or WebP, 1 to 100.
        qp: quantization parameter of BPG, 0 to 51.
        fidelity: fidelity of a learned quantizer, 0 to 1.

    Every attribute but `method` is None where it does not apply. Raises ValueError for a value out of its range.
    """

    method: str
    model: str | None = None
    colors: int | None = None
    _: KW_ONLY
    quality: int | None = None
    qp: int | None = None
    fidelity: float | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, not {value}")

    @property
    def setting(self) -> "Setting":
        """The setting alone, without the measurements that a subclass adds."""
        return Setting(self.method, self.model, self.colors, quality=self.quality, qp=self.qp, fidelity=self.fidelity)


_RANGES = {"quality": (1, 100), "qp": (0, 51), "fidelity": (0, 1)}


@dataclass(frozen=True, eq=False)
class Measured:
    """A file, and the measured differences from its original.

    Attributes:
        file: the encoded image.
        pixels: (H, W, 3) uint8 sRGB, read back from the file.
        view: (s, s, 3) uint8 sRGB, the classifier's input.
        fixed_size: bytes of the file that do not depend on the picture.
        mse: mean squared error to the original, 0 to 65025.
        ssim: structural similarity to the original, -1 to 1; None for images too small for it.
        colors_used: number of different colors.
        milliseconds: run time of the quantizer or the encoder.
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
class Row(Setting):
    """Measurements of one image in one setting.

    Attributes:
        image: name of the image.
        bytes: size of the file.
        bits_per_pixel: bits of the whole file.
        payload_bits_per_pixel: bits without the bytes that do not depend on the picture: signature, headers, frames of
            chunks. They are a large part of a small file.
        mse: mean squared error, 0 to 65025.
        psnr: peak signal-to-noise ratio in dB; None where the image is exact.
        ssim: structural similarity, -1 to 1; None for images too small for it.
        colors_used: number of different colors.
        milliseconds: run time of the quantizer or the encoder.
        label, probability: likeliest class of the image that was read back.
        kept: whether that class is the prediction for the original.
        right: whether that class is the true one; None where the true class is unknown.
    """

    image: str
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


@dataclass(frozen=True, kw_only=True)
class Summary(Setting):
    """Means over the images of one setting.

    Attributes:
        images: number of images.
        kept: share of images whose prediction is the same as for the original, 0 to 1.
        top1: share of images with the true class, 0 to 1; None where no image has a true class.
        psnr: PSNR in dB of the mean squared error over all images; None where all are exact.

    Every other attribute is the mean of the attribute of the same name of `Row`.
    """

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


def compare(
    sample: Sample, setting: Setting, quantizer: Quantizer, classifier: BatchClassifier
) -> tuple[Row, Measured]:
    """Quantize one image, write it as an indexed PNG, read it back, measure and classify it.

    Raises BadOption where the quantizer rejects the number of colors.
    """
    started = time.perf_counter()
    quantized = quantizer.quantize(sample.pixels, setting.colors or 0)
    milliseconds = 1000 * (time.perf_counter() - started)
    measured = measure_palette(sample.pixels, quantized, view=classifier.views, milliseconds=milliseconds)
    (after,) = classifier.predict_batch(measured.view[np.newaxis])
    return make_row(sample, setting, measured, after), measured


def measure_palette(
    pixels: Pixels, quantized: PaletteImage, *, view: ViewGeometry, milliseconds: float = 0.0
) -> Measured:
    """Write the palette image of `pixels` as a PNG file and measure the file; see `measure`."""
    file = png.encode(quantized)
    return measure(pixels, file, png.fixed_bytes(file), view=view, milliseconds=milliseconds)


def measure(pixels: Pixels, file: bytes, fixed_size: int, *, view: ViewGeometry, milliseconds: float = 0.0) -> Measured:
    """Read `file` back and compare it with its original.

    Args:
        pixels: the original, (H, W, 3) uint8 sRGB.
        file: an encoded image of the same size.
        fixed_size: bytes of the file that do not depend on the picture.
        view: what the classifier sees of an image.
        milliseconds: run time of the quantizer or the encoder, if it was measured.
    """
    decoded = decode(file, max_pixels=pixels.shape[0] * pixels.shape[1]).pixels
    return Measured(
        file=file,
        pixels=decoded,
        view=view.view(decoded),
        fixed_size=fixed_size,
        mse=metrics.mean_squared_error(pixels, decoded),
        ssim=metrics.ssim(pixels, decoded),
        colors_used=metrics.count_colors(decoded),
        milliseconds=milliseconds,
    )


def make_row(sample: Sample, setting: Setting, measured: Measured, after: Prediction) -> Row:
    """Combine the measurements of a file with `after`, the prediction for the file."""
    height, width = sample.pixels.shape[:2]
    size = len(measured.file)
    return Row(
        **asdict(setting),
        image=sample.name,
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
    """Return the means over the images of each setting, in the order of the first rows of the settings."""
    groups: dict[Setting, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.setting, []).append(row)
    return [_summary(setting, group) for setting, group in groups.items()]


def _summary(setting: Setting, rows: Sequence[Row]) -> Summary:
    return summarize_columns(setting, {name: [getattr(row, name) for row in rows] for name in SUMMARIZED})


SUMMARIZED = (
    *("kept", "right", "bytes", "bits_per_pixel", "payload_bits_per_pixel", "mse", "ssim", "colors_used"),
    "milliseconds",
)
"""Attributes of `Row` that a summary needs."""


def summarize_columns(setting: Setting, columns: Mapping[str, Sequence[Any]]) -> Summary:
    """Return the means over the images of one setting. columns: values of the images, for each name of SUMMARIZED.

    The sums are exact before they are rounded, so the order of the images does not matter.
    """
    return Summary(
        **asdict(setting),
        images=len(columns["kept"]),
        kept=fmean(columns["kept"]),
        top1=_mean_of_known(columns["right"]),
        bytes=fmean(columns["bytes"]),
        bits_per_pixel=fmean(columns["bits_per_pixel"]),
        payload_bits_per_pixel=fmean(columns["payload_bits_per_pixel"]),
        psnr=metrics.psnr(fmean(columns["mse"])),
        ssim=_mean_of_known(columns["ssim"]),
        colors_used=fmean(columns["colors_used"]),
        milliseconds=fmean(columns["milliseconds"]),
    )


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
