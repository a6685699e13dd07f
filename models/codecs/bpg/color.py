"""Planes of samples to sRGB pixels and back, in the very integers of the reference programs.

The specification says what the planes mean, not how to round. These are the sums of libbpg 0.9.8, found by comparison
with it: reading gives the pixels that `bpgdec` gives, and writing the planes that `bpgenc` would encode. Images are
worked through in bands of rows, so the wide integers of the sums stay small.

Planes are (h, w) uint8, or uint16 where the bit depth is more than 8; luma has the size of the image, chroma half of
it, rounded up, in each direction in which it is subsampled.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models.codecs.bpg.header import ColorSpace, PixelFormat
from models.rgb import Pixels

Plane = NDArray[np.uint8 | np.uint16]
_Ints = NDArray[np.int32]

_BAND = 1 << 15  # pixels at a time: what is kept for them stays in a processor's cache

# Weights of red and blue in luma: BT.601, BT.709, BT.2020 (non-constant luminance).
_WEIGHTS = {
    ColorSpace.YCBCR: (0.299, 0.114),
    ColorSpace.YCBCR_BT709: (0.2126, 0.0722),
    ColorSpace.YCBCR_BT2020: (0.2627, 0.0593),
}

# Chroma to half size and back: windowed sinc filters, of gain 128 and 64. The first tap's offset is noted beside each.
_HALVE = (2, -4, -8, 17, 57, 57, 17, -8, -4, 2)  # -4, of the left of two samples; the result lies between them
_DOUBLE_EVEN = (2, -6, 18, 57, -10, 4, -1)  # -3, a quarter of a sample before
_DOUBLE_ODD = _DOUBLE_EVEN[::-1]  # -3, a quarter behind
_DOUBLE_MIDDLE = (0, -1, 4, -11, 40, 40, -11, 4, -1)  # -4, half a sample behind
_COPY = (64,)  # 0


def to_rgb(planes: Sequence[Plane], layout: PixelFormat, space: ColorSpace, depth: int, limited: bool) -> Pixels:
    """Planes to (H, W, 3) uint8 sRGB.

    Args:
        planes: luma, or luma and two of chroma; for RGB green, blue and red.
        layout: which of them are subsampled, and where their samples lie.
        space: what they mean.
        depth: bits of a sample, 8 to 14.
        limited: whether they have the limited range of video.
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
    """Red, green and blue, not yet clipped. 32 bits as in the reference, which wrap far outside of the color space."""
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
    """Some rows of a chroma plane at the size of luma; `rows` begin at an even one."""
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


def to_eight_bits(plane: Plane, depth: int) -> Pixels:
    """A full-range plane, as of alpha, to (H, W) uint8."""
    height, width = plane.shape
    result = np.empty((height, width), dtype=np.uint8)
    one = round(255 * 2**22 / (2**depth - 1))
    for rows in _bands(height, width):
        result[rows] = plane[rows].astype(np.int32) * one + 2**21 >> 22
    return result


def multiply_white(pixels: Pixels, white: Plane, depth: int) -> None:
    """Darken (H, W, 3) uint8 in place by the white plane of a CMYK image, as `bpgdec` does to show it as RGB."""
    for rows in _bands(*white.shape):
        product = pixels[rows].astype(np.int32) * white[rows, :, None].astype(np.int32)
        pixels[rows] = product + 2 ** (depth - 1) >> depth


def divide_alpha(pixels: Pixels) -> None:
    """Undo premultiplication in (H, W, 4) uint8, in place, as `bpgdec` does; transparent pixels become white."""
    alphas = np.arange(1, 256)
    inverses = np.concatenate([[0], ((255 << 16) + alphas // 2 + 128) // alphas])
    for rows in _bands(*pixels.shape[:2]):
        color, alpha = pixels[rows, :, :3], pixels[rows, :, 3:]
        quotient = color * inverses[alpha] + 2**15 >> 16
        color[...] = np.where(color >= alpha, 255, quotient)


def from_rgb(pixels: Pixels, layout: PixelFormat, space: ColorSpace, depth: int) -> list[Plane]:
    """(H, W, 3) uint8 sRGB to full-range planes, the inverse of `to_rgb` up to rounding.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        layout: the planes to make; subsampled ones with their samples between those of luma.
        space: YCBCR or RGB.
        depth: bits of a sample, 8 to 14.
    """
    matrix = _matrix(layout, space, depth)
    center = 2 ** (depth - 1) if space is ColorSpace.YCBCR else 0
    planes = [_weighted(pixels, matrix[0], 0, depth)]
    for row in matrix[1:]:
        plane = _weighted(pixels, row, center, depth)
        if layout.chroma_format != 3:
            plane = _halve(plane, layout, depth)
        planes.append(plane)
    return planes


def _matrix(layout: PixelFormat, space: ColorSpace, depth: int) -> list[tuple[float, float, float]]:
    if space is ColorSpace.RGB:
        return [(0, 1, 0), (0, 0, 1), (1, 0, 0)]
    kr, kb = _WEIGHTS[space]
    kg = 1 - kr - kb
    luma = (kr, kg, kb)
    if layout is PixelFormat.GRAY:
        return [luma]
    return [luma, (-kr / 2 / (1 - kb), -kg / 2 / (1 - kb), 0.5), (0.5, -kg / 2 / (1 - kr), -kb / 2 / (1 - kr))]


def _weighted(pixels: Pixels, weights: tuple[float, float, float], center: int, depth: int) -> Plane:
    """One plane of the size of the image: a weighted sum of red, green and blue, clipped to `depth` bits."""
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
    """A plane at half its width, and half its height for 4:2:0."""
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
    """Slices of an even number of rows that together cover an image, but for the last one's number."""
    step = 2 * max(1, _BAND // (2 * width))
    return (slice(top, min(top + step, height)) for top in range(0, height, step))


def _rows(plane: Plane, first: int, end: int) -> _Ints:
    """Rows first to end - 1 of a plane; those outside are like the nearest one."""
    return plane[np.clip(np.arange(first, end), 0, len(plane) - 1)].astype(np.int32)


def _pad_columns(samples: _Ints, count: int) -> _Ints:
    return np.pad(samples, ((0, 0), (count, count)), mode="edge")


def _fir(samples: _Ints, taps: tuple[int, ...], axis: int) -> _Ints:
    """Weighted sums of neighbors along an axis, as many as there are whole windows."""
    count = samples.shape[axis] - len(taps) + 1
    lines = samples.swapaxes(0, axis)
    total = taps[0] * lines[:count]
    for at, tap in enumerate(taps[1:], start=1):
        total += tap * lines[at : at + count]
    return total.swapaxes(0, axis)


def _interleave(even: _Ints, odd: _Ints, axis: int) -> _Ints:
    shape = list(even.shape)
    shape[axis] *= 2
    return np.stack([even, odd], axis=axis + 1).reshape(shape)


def _round(samples: _Ints, shift: int) -> _Ints:
    return samples + (1 << shift >> 1) >> shift
