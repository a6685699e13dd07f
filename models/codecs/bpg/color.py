"""Conversion between planes of samples and sRGB pixels, in the integer arithmetic of the reference programs.

The specification defines the planes, but no rounding. This arithmetic was derived by comparison with libbpg 0.9.8:
`to_rgb` returns the pixels of `bpgdec`, and `from_rgb` the planes that `bpgenc` encodes. Images are converted in bands
of rows, which bounds the memory of wide integers.

Planes are (h, w) uint8, or uint16 where the bit depth is more than 8. Luma has the size of the image. Chroma has half
the size, rounded up, in each direction in which it is subsampled.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models.codecs.bpg.header import ColorSpace, PixelFormat
from models.rgb import Pixels

Plane = NDArray[np.uint8 | np.uint16]
_Ints = NDArray[np.int32]

_BAND = 1 << 15  # pixels at a time: their intermediate results fit the cache of a processor

# Weights of red and blue in luma: BT.601, BT.709, BT.2020 (non-constant luminance).
_WEIGHTS = {
    ColorSpace.YCBCR: (0.299, 0.114),
    ColorSpace.YCBCR_BT709: (0.2126, 0.0722),
    ColorSpace.YCBCR_BT2020: (0.2627, 0.0593),
}

# Windowed sinc filters that halve and double chroma, with gain 128 and 64. Comments give the offset of the first tap.
_HALVE = (2, -4, -8, 17, 57, 57, 17, -8, -4, 2)  # -4 from the left of two samples; the result lies between them
_DOUBLE_EVEN = (2, -6, 18, 57, -10, 4, -1)  # -3; the result lies a quarter of a sample before
_DOUBLE_ODD = _DOUBLE_EVEN[::-1]  # -3; a quarter behind
_DOUBLE_MIDDLE = (0, -1, 4, -11, 40, 40, -11, 4, -1)  # -4; half a sample behind
_COPY = (64,)  # 0


def to_rgb(planes: Sequence[Plane], layout: PixelFormat, space: ColorSpace, depth: int, limited: bool) -> Pixels:
    """Convert planes to (H, W, 3) uint8 sRGB.

    Args:
        planes: luma, or luma and two chroma planes; for RGB green, blue and red.
        layout: subsampling and position of the chroma samples.
        space: meaning of the planes.
        depth: bits of a sample, 8 to 14.
        limited: whether samples have the limited range of video.
    """
    height, width = planes[0].shape
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    for rows in _bands(height, width):
        band = [planes[0][rows].astype(np.int32)]
        band += [_full_size(plane, rows, width, layout, depth) for plane in planes[1:]]
        for channel, value in enumerate(_to_channels(band, space, depth, limited)):
            np.clip(value, 0, 255, out=pixels[rows, :, channel], casting="unsafe")
    return pixels


def _to_channels(planes: list[_Ints], space: ColorSpace, depth: int, limited: bool) -> list[_Ints]:
    """Return red, green and blue before clipping. As in the reference, 32 bits may wrap far outside the color space."""
    full = 255 * 2**22 / (2**depth - 1)
    one = round(255 * 2**22 / (219 << depth - 8) if limited else full)
    offset = 2**21 - ((16 << depth - 8) * one if limited else 0)
    chroma = 255 * 2**22 / (224 << depth - 8) if limited else full
    if len(planes) == 1:
        return [planes[0] * one + offset >> 22] * 3
    if space is ColorSpace.RGB:
        green, blue, red = (plane * one + offset >> 22 for plane in planes)
        return [red, green, blue]
    first, second = (plane - 2 ** (depth - 1) for plane in planes[1:])
    if space is ColorSpace.YCGCO:
        without_green = planes[0] - first
        sums = [without_green + second, planes[0] + first, without_green - second]
        return [value * one + offset >> 22 for value in sums]
    luma = planes[0] * one
    kr, kb = _WEIGHTS[space]
    green_blue, green_red = (round(2 * k * (1 - k) / (1 - kb - kr) * chroma) for k in (kb, kr))
    return [
        luma + round(2 * (1 - kr) * chroma) * second + offset >> 22,
        luma - green_blue * first - green_red * second + offset >> 22,
        luma + round(2 * (1 - kb) * chroma) * first + offset >> 22,
    ]


def _full_size(plane: Plane, rows: slice, width: int, layout: PixelFormat, depth: int) -> _Ints:
    """Return rows of a chroma plane at the size of luma; `rows` starts at an even row."""
    if layout.chroma_format == 3:
        return plane[rows].astype(np.int32)
    shift = 6
    if layout.chroma_format == 1:
        nearby = _rows(plane, rows.start // 2 - 3, (rows.stop + 1) // 2 + 3)
        doubled = _interleave(_fir(nearby, _DOUBLE_EVEN, 0), _fir(nearby, _DOUBLE_ODD, 0), 0)
        samples = _round(doubled[: rows.stop - rows.start], depth - 8)
        shift = 20 - depth
    else:
        samples = plane[rows].astype(np.int32)
    filters = (_COPY, _DOUBLE_MIDDLE) if layout.cosited else (_DOUBLE_EVEN, _DOUBLE_ODD)
    even, odd = (_fir(_pad_columns(samples, len(taps) // 2), taps, 1) for taps in filters)
    wide = _interleave(even, odd, 1)
    return np.clip(_round(wide[:, :width], shift), 0, 2**depth - 1)


def to_eight_bits(plane: Plane, depth: int) -> NDArray[np.uint8]:
    """Convert a full-range plane, such as alpha, to (H, W) uint8."""
    height, width = plane.shape
    result = np.empty((height, width), dtype=np.uint8)
    one = round(255 * 2**22 / (2**depth - 1))
    for rows in _bands(height, width):
        result[rows] = plane[rows].astype(np.int32) * one + 2**21 >> 22
    return result


def multiply_white(pixels: Pixels, white: Plane, depth: int) -> None:
    """Darken (H, W, 3) uint8 in place by the white plane of a CMYK image, as `bpgdec` does."""
    for rows in _bands(*white.shape):
        product = pixels[rows].astype(np.int32) * white[rows, :, None].astype(np.int32)
        pixels[rows] = product + 2 ** (depth - 1) >> depth


def divide_alpha(pixels: Pixels) -> None:
    """Convert (H, W, 4) uint8 in place to straight alpha, as `bpgdec` does; transparent pixels become white."""
    alphas = np.arange(1, 256)
    inverses = np.concatenate([[0], ((255 << 16) + alphas // 2 + 128) // alphas])
    for rows in _bands(*pixels.shape[:2]):
        color, alpha = pixels[rows, :, :3], pixels[rows, :, 3:]
        quotient = color * inverses[alpha] + 2**15 >> 16
        color[...] = np.where(color >= alpha, 255, quotient)


def from_rgb(pixels: Pixels, layout: PixelFormat, space: ColorSpace, depth: int) -> list[Plane]:
    """Convert (H, W, 3) uint8 sRGB to full-range planes, the inverse of `to_rgb` except for rounding.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        layout: the planes to make; subsampled chroma samples lie between luma samples.
        space: YCBCR or RGB.
        depth: bits of a sample, 8 to 14.
    """
    matrix = _matrix(layout, space)
    center = 2 ** (depth - 1) if space is ColorSpace.YCBCR else 0
    planes = [_weighted(pixels, matrix[0], 0, depth)]
    for row in matrix[1:]:
        plane = _weighted(pixels, row, center, depth)
        if layout.chroma_format != 3:
            plane = _halve(plane, layout, depth)
        planes.append(plane)
    return planes


def _matrix(layout: PixelFormat, space: ColorSpace) -> list[tuple[float, float, float]]:
    """Return the weights of red, green and blue in each plane."""
    if space is ColorSpace.RGB:
        return [(0, 1, 0), (0, 0, 1), (1, 0, 0)]
    kr, kb = _WEIGHTS[space]
    kg = 1 - kr - kb
    luma = (kr, kg, kb)
    if layout is PixelFormat.GRAY:
        return [luma]
    return [luma, (-kr / 2 / (1 - kb), -kg / 2 / (1 - kb), 0.5), (0.5, -kg / 2 / (1 - kr), -kb / 2 / (1 - kr))]


def _weighted(pixels: Pixels, weights: tuple[float, float, float], center: int, depth: int) -> Plane:
    """Return a plane of the size of the image: a weighted sum of red, green and blue, clipped to `depth` bits."""
    shift = 31 - depth
    one = (2**depth - 1) * 2**shift / 255
    height, width = pixels.shape[:2]
    plane: Plane = np.empty((height, width), dtype=np.uint8 if depth == 8 else np.uint16)
    for rows in _bands(height, width):
        band = pixels[rows].astype(np.int64)
        total = sum(band[:, :, channel] * round(weight * one) for channel, weight in enumerate(weights))
        np.clip((total + (1 << shift - 1) >> shift) + center, 0, 2**depth - 1, out=plane[rows], casting="unsafe")
    return plane


def _halve(plane: Plane, layout: PixelFormat, depth: int) -> Plane:
    """Return a plane at half its width, and at half its height for 4:2:0."""
    vertical = layout.chroma_format == 1
    height, width = plane.shape
    halved = np.empty((-(-height // 2) if vertical else height, -(-width // 2)), dtype=plane.dtype)
    for rows in _bands(*halved.shape):
        nearby = _rows(plane, 2 * rows.start - 4, 2 * rows.stop + 4) if vertical else plane[rows].astype(np.int32)
        narrow = _fir(_pad_columns(nearby, 5), _HALVE, 1)[:, 1::2]
        if vertical:
            narrow = _fir(_round(narrow, depth - 7), _HALVE, 0)[::2]
        np.clip(_round(narrow, 21 - depth if vertical else 7), 0, 2**depth - 1, out=halved[rows], casting="unsafe")
    return halved


def _bands(height: int, width: int) -> Iterator[slice]:
    """Yield slices of rows that cover an image; only the last may have an odd number of rows."""
    step = 2 * max(1, _BAND // (2 * width))
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def _rows(plane: Plane, first: int, end: int) -> _Ints:
    """Return rows `first` to `end - 1` of a plane; rows outside repeat the nearest row."""
    return plane[np.clip(np.arange(first, end), 0, len(plane) - 1)].astype(np.int32)


def _pad_columns(samples: _Ints, count: int) -> _Ints:
    return np.pad(samples, ((0, 0), (count, count)), mode="edge")


def _fir(samples: _Ints, taps: tuple[int, ...], axis: int) -> _Ints:
    """Filter samples along an axis: one weighted sum for each whole window."""
    count = samples.shape[axis] - len(taps) + 1
    lines = samples.swapaxes(0, axis)
    total = taps[0] * lines[:count]
    for at, tap in enumerate(taps[1:], start=1):
        total += tap * lines[at : at + count]
    return total.swapaxes(0, axis)


def _interleave(even: _Ints, odd: _Ints, axis: int) -> _Ints:
    """Return the elements of two arrays by turns along an axis."""
    shape = list(even.shape)
    shape[axis] *= 2
    return np.stack([even, odd], axis=axis + 1).reshape(shape)


def _round(samples: _Ints, shift: int) -> _Ints:
    """Divide by 2^shift, rounding half up."""
    return samples + (1 << shift >> 1) >> shift
