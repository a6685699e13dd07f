"""The samples of a TIFF as 8-bit colors and alpha."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.decoding.tiff.directory import Directory
from models.decoding.tiff.layout import Layout
from models.decoding.tiff.numbers import Samples
from models.decoding.tiff.tags import Kind, Photometric, Tag
from models.errors import BadImage

Levels = npt.NDArray[np.uint8]

_GRAY = (Photometric.WHITE_IS_ZERO, Photometric.BLACK_IS_ZERO)
_LAB = (Photometric.CIELAB, Photometric.ICCLAB)
_PREMULTIPLIED, _ALPHA, _COREL_ALPHA = 1, 2, 999  # extra samples; Corel Draw writes the last
_TABLE_BITS = 16  # samples of up to so many bits have a standard white, and are converted by a table

# XYZ relative to the white point of D65 to linear sRGB (IEC 61966-2-1).
_TO_SRGB = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.969266, 1.8760108, 0.041556], [0.0556434, -0.2040259, 1.0572252]]
)
_D65 = np.array([0.95047, 1.0, 1.08883])


@dataclass(frozen=True)
class Meaning:
    """What the channels of a page mean.

    Attributes:
        photometric: the color space of the first channels.
        colors: the number of these channels.
        alpha: the channel that holds alpha, or None.
        premultiplied: whether the colors are multiplied with alpha.
        palette: (colors, 3) uint8, or None.
    """

    photometric: Photometric
    colors: int
    alpha: int | None
    premultiplied: bool
    palette: Levels | None

    @property
    def mode(self) -> str:
        """Pillow's mode of the colors: L, RGB or CMYK."""
        if self.photometric in _GRAY:
            return "L"
        return "CMYK" if self.photometric is Photometric.CMYK else "RGB"


def read_meaning(directory: Directory, layout: Layout) -> Meaning:
    """Return the meaning of the channels. An extra channel that the file does not explain is alpha only if it is the
    fourth of RGB or the second of gray, as in Pillow.

    Raises:
        BadImage: a palette is missing.
    """
    photometric, colors = layout.photometric, layout.photometric.channels
    if photometric is Photometric.YCBCR:
        photometric = Photometric.RGB
    extra = directory.numbers(Tag.EXTRA_SAMPLES, (_ALPHA,) if layout.channels == colors + 1 and colors != 4 else ())
    kinds = (_PREMULTIPLIED, _ALPHA, _COREL_ALPHA)
    alpha = next((at for at, kind in enumerate(extra[: layout.channels - colors]) if kind in kinds), None)
    return Meaning(
        photometric=photometric,
        colors=colors,
        alpha=None if alpha is None else colors + alpha,
        premultiplied=alpha is not None and extra[alpha] == _PREMULTIPLIED,
        palette=_palette(directory, layout) if photometric is Photometric.PALETTE else None,
    )


def is_wide(layout: Layout) -> bool:
    """Return whether the samples have no standard black and white: floats, signed numbers, and more than 16 bits."""
    return layout.kind is not Kind.UNSIGNED or layout.bits > _TABLE_BITS


def level_range(bands: Iterable[Samples], layout: Layout, meaning: Meaning) -> tuple[float, float]:
    """Return the numbers that mean the lowest and the highest level.

    Unsigned samples that use the upper half of their bits range over all bits. Floats within 0 to 1 keep this range.
    All others are stretched from the smallest finite number of any color channel to the largest.
    """
    if not is_wide(layout):
        return 0.0, float((1 << layout.bits) - 1)
    low, high = np.inf, -np.inf
    for band in bands:
        colors = band[..., : meaning.colors]
        finite = colors[np.isfinite(colors)] if layout.kind is Kind.FLOAT else colors
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        return 0.0, 1.0
    if layout.kind is Kind.FLOAT and low >= 0 and high <= 1:
        return 0.0, 1.0
    if layout.kind is Kind.UNSIGNED and high >= 2.0 ** (layout.bits - 1):
        return 0.0, 2.0**layout.bits - 1
    return low, high if high > low else low + 1


def to_levels(
    band: Samples, layout: Layout, meaning: Meaning, limits: tuple[float, float]
) -> tuple[Levels, Levels | None]:
    """Return the colors of a band, (rows, columns, channels of the mode), and its alpha, (rows, columns), or None."""
    colors = band[..., : meaning.colors]
    alpha = None if meaning.alpha is None else _alpha(band[..., meaning.alpha], layout)
    if meaning.palette is not None:
        indices = np.minimum(colors[..., 0], len(meaning.palette) - 1)
        return meaning.palette.take(indices, axis=0), _rounded(alpha)
    if meaning.photometric in _LAB:
        return _from_lab(colors, layout, meaning.photometric), _rounded(alpha)
    if alpha is not None and meaning.premultiplied:
        scaled, divisor = _scaled(colors, limits), alpha[..., np.newaxis]
        with np.errstate(over="ignore"):  # of a damaged file
            scaled = np.divide(scaled, divisor, out=np.zeros_like(scaled), where=divisor > 0)
        levels = _eight_bits(scaled)
    elif not is_wide(layout):
        levels = colors.astype(np.uint8, copy=False) if layout.bits == 8 else _table(layout.bits)[colors]
    else:
        levels = _eight_bits(_scaled(colors, limits))
    if meaning.photometric is Photometric.WHITE_IS_ZERO:
        levels = 255 - levels
    return levels, _rounded(alpha)


def _table(bits: int) -> Levels:
    return _eight_bits(np.arange(1 << bits) / ((1 << bits) - 1))


@np.errstate(invalid="ignore", over="ignore")  # otherwise NumPy warns about a signaling NaN in the log
def _scaled(samples: Samples, limits: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Return samples on the scale of 0 to 1 of their limits; numbers outside may exceed it."""
    low, high = limits
    return np.nan_to_num((samples.astype(np.float64) - low) / (high - low), nan=0.0)


def _alpha(samples: Samples, layout: Layout) -> npt.NDArray[np.float64]:
    """Return alpha on the scale of 0 to 1, its standard range in every format of samples."""
    bits = layout.bits - (layout.kind is Kind.SIGNED)
    full = 1.0 if layout.kind is Kind.FLOAT else 2.0**bits - 1
    return np.clip(_scaled(samples, (0.0, full)), 0, 1)


def _rounded(alpha: npt.NDArray[np.float64] | None) -> Levels | None:
    return None if alpha is None else _eight_bits(alpha)


def _eight_bits(scaled: npt.NDArray[np.float64]) -> Levels:
    """Return numbers on the scale of 0 to 1 as levels."""
    return np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)


def _palette(directory: Directory, layout: Layout) -> Levels:
    entries = 1 << layout.bits
    numbers = directory.numbers(Tag.COLOR_MAP)
    if len(numbers) < 3 * entries:
        raise BadImage("The TIFF file has no palette for its indices. Save it again, for example as PNG.")
    colors = np.array(numbers[: 3 * entries]).reshape(3, entries).T
    shallow = int(colors.max()) < 256  # an old error of writers: 8-bit colors in fields of 16 bits
    return (colors if shallow else colors >> 8).astype(np.uint8, copy=False)  # writers multiply by 256 or by 257


def _from_lab(samples: Samples, layout: Layout, photometric: Photometric) -> Levels:
    """Return L*a*b* as sRGB, each relative to its own white, so that gray stays gray (TIFF 6.0, section 23).

    Sixteen-bit ICC L*a*b* has white at 0xFF00 (ICC.1:2001, annex A.4); all others have it at the highest number.
    """
    values = samples.astype(np.float64)
    if layout.kind is not Kind.FLOAT:
        unit = 2.0 ** (layout.bits - 8)
        white = 0xFF00 if (layout.bits, photometric) == (16, Photometric.ICCLAB) else 2.0**layout.bits - 1
        a_and_b = values[..., 1:] / unit
        zero = 128 if photometric is Photometric.ICCLAB else 0
        wrapped = np.where(a_and_b >= 128, a_and_b - 256, a_and_b) if zero == 0 else a_and_b - zero
        values = np.concatenate([values[..., :1] * (100 / white), wrapped], axis=-1)
    y = (values[..., 0] + 16) / 116
    steps = np.stack([y + values[..., 1] / 500, y, y - values[..., 2] / 200], axis=-1)
    xyz = np.where(steps > 6 / 29, steps**3, (steps - 4 / 29) * 3 * (6 / 29) ** 2) * _D65
    linear = np.clip(np.nan_to_num(xyz @ _TO_SRGB.T), 0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return _eight_bits(coded)
