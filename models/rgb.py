"""Arrays of sRGB colors: type, validation, packing of a color into one integer, and scaling."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""An image: (H, W, 3) uint8 sRGB, 0 to 255."""

Interpolation = Literal["bilinear", "bicubic", "lanczos"]
"""Filter that scales an image; each one widens as the image shrinks, so every pixel of a large image contributes."""

_FILTERS: Mapping[Interpolation, Image.Resampling] = MappingProxyType(
    {
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "lanczos": Image.Resampling.LANCZOS,
    }
)


@dataclass(frozen=True)
class ViewGeometry:
    """The part of an image that a classifier sees, and how it is scaled to the classifier's input.

    size: side of the square input in pixels. crop: side of the central square that is seen, as a share of the shorter
    side, 0 to 1; None where the whole image is seen, squeezed to a square. interpolation: filter of the scaling.
    """

    size: int
    crop: float | None
    interpolation: Interpolation

    @classmethod
    def of(cls, size: int, crop: float | None, interpolation: Interpolation | None) -> Self:
        """Return the geometry whose filter, where it is None, is bicubic for a crop and else bilinear."""
        return cls(size, crop, interpolation or ("bilinear" if crop is None else "bicubic"))

    def box(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Return (left, top, right, bottom) of the part of an image that is seen, in pixels from its upper left."""
        if self.crop is None:
            return 0.0, 0.0, float(width), float(height)
        side = self.crop * min(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side

    def view(self, pixels: Pixels) -> Pixels:
        """Scale what is seen of an image: (H, W, 3) uint8 -> (size, size, 3) uint8."""
        if self.crop is None:
            return resize(pixels, self.size, self.interpolation)
        return resize_center(pixels, self.size, self.crop, self.interpolation)


def check_pixels(pixels: Pixels) -> None:
    """Raise ValueError unless `pixels` is (H, W, 3) uint8 with at least one pixel."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(f"pixels must be (H, W, 3) uint8 and not empty, not {pixels.shape} {pixels.dtype}")


def pack(colors: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Pack (..., 3) uint8 colors into (...) uint32 integers, 0xRRGGBB."""
    return np.asarray(colors @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32), dtype=np.uint32)


def unpack(packed: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Unpack (K,) integers, 0xRRGGBB, into (K, 3) uint8 colors."""
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1).astype(np.uint8)


def central_square(pixels: Pixels, share: float) -> tuple[float, float, float]:
    """Return (left, top, side) in pixels of the central square whose side is `share` of the shorter side, 0 to 1."""
    height, width = pixels.shape[:2]
    side = share * min(height, width)
    return (width - side) / 2, (height - side) / 2, side


def resize_center(pixels: Pixels, size: int, share: float, interpolation: Interpolation = "bicubic") -> Pixels:
    """Scale the central square of an image, (H, W, 3) uint8, to (size, size, 3) uint8.

    share: side of the square as a part of the shorter side, 0 to 1.
    """
    left, top, side = central_square(pixels, share)
    box = (left, top, left + side, top + side)
    return np.asarray(Image.fromarray(pixels).resize((size, size), _FILTERS[interpolation], box=box))


def resize(pixels: Pixels, size: int, interpolation: Interpolation = "bilinear") -> Pixels:
    """Scale a whole image, (H, W, 3) uint8, to a square, (size, size, 3) uint8, without keeping its aspect ratio.

    An image of the right size is returned as it is.
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), _FILTERS[interpolation]))


def resize_to(pixels: Pixels, height: int, width: int) -> Pixels:
    """Scale an image bicubically, (H, W, 3) uint8 -> (height, width, 3) uint8; an image of that size stays as it is.

    An image that shrinks much is first reduced by averages, which changes little and takes a fraction of the time.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3))
