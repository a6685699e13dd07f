"""Random views of an image, as a classifier might see it: crops that are scaled to its input, with their gradient."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from models.rgb import Pixels, ViewGeometry

Scalar = TypeVar("Scalar", bound=np.generic)

_SCALES = (0.85, 1.1)  # sides of a random region, in sides of the region that the classifier sees
_PULL = 0.5  # how far the random position moves towards the classifier's own: 0 not at all, 1 all the way

_MODES = {"bilinear": "bilinear", "bicubic": "bicubic", "lanczos": "bicubic"}  # torch has no Lanczos


@dataclass(frozen=True)
class Region:
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, image: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return this part of an image: (H, W, ...) -> (height, width, ...)."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]

    def view(self, image: Tensor, geometry: ViewGeometry) -> Tensor:
        """Scale this part of an image to the input of a classifier: (B, 3, H, W) -> (B, 3, size, size)."""
        part = image[:, :, self.top : self.top + self.height, self.left : self.left + self.width]
        return _scaled(part, (geometry.size, geometry.size), geometry)

    def view_of(self, pixels: Pixels, geometry: ViewGeometry) -> Tensor:
        """Return `view` in 8 bits, as a classifier gets it: (H, W, 3) uint8 -> (1, 3, size, size) uint8."""
        part = torch.from_numpy(self.of(pixels).copy())  # torch warns about read-only arrays
        return _scaled(part.permute(2, 0, 1)[None], (geometry.size, geometry.size), geometry)

    def slope(self, gradient: Tensor, geometry: ViewGeometry) -> Tensor:
        """Return the gradient for this part of an image from that for its view: (3, size, size) -> (3, height, width).

        Two products with the matrices of the filter are several times as fast as the backward pass of torch.
        """
        return _filter(self.height, geometry).mT @ gradient @ _filter(self.width, geometry)

    def mean_slope(self, gradient: Tensor, geometry: ViewGeometry, cell: int, height: int, width: int) -> Tensor:
        """Return the mean of `slope` in the cells of an image of height x width: (3, ceil(H / cell), ceil(W / cell)).

        cell: side of the square cells, in pixels. Pixels outside of this part have a slope of 0.
        """
        rows = _cell_means(_filter(self.height, geometry), self.top, height, cell)
        columns = _cell_means(_filter(self.width, geometry), self.left, width, cell)
        return rows.mT @ gradient @ columns

    def padded(self, values: Tensor, height: int, width: int) -> Tensor:
        """Return values of this part as values of an image, 0 elsewhere: (C, height, width) -> (C, H, W)."""
        right, bottom = width - self.left - self.width, height - self.top - self.height
        return F.pad(values, (self.left, right, self.top, bottom))

    def grown(self, margin: int, height: int, width: int) -> Self:
        """Return this part of an image of height x width with up to `margin` more pixels on each side."""
        top, left = max(0, self.top - margin), max(0, self.left - margin)
        bottom, right = min(height, self.top + self.height + margin), min(width, self.left + self.width + margin)
        return type(self)(top, left, bottom - top, right - left)

    def within(self, other: Self) -> Self:
        """Return this part in the coordinates of another part that holds it."""
        return type(self)(self.top - other.top, self.left - other.left, self.height, self.width)


def enclosing(regions: Sequence[Region]) -> Region:
    """Return the smallest region that holds all of `regions`, at least one."""
    top, left = min(each.top for each in regions), min(each.left for each in regions)
    bottom, right = max(each.top + each.height for each in regions), max(each.left + each.width for each in regions)
    return Region(top, left, bottom - top, right - left)


def random_region(geometry: ViewGeometry, height: int, width: int, random: np.random.Generator) -> Region:
    """Return a region near the one that a classifier sees of an image of that size, 0.85 to 1.1 times its sides."""
    left, top, right, bottom = geometry.box(height, width)
    scale = random.uniform(*_SCALES)
    tall = min(height, max(1, round(scale * (bottom - top))))
    wide = min(width, max(1, round(scale * (right - left))))
    return Region(_position(height, tall, random), _position(width, wide, random), tall, wide)


def _position(length: int, part: int, random: np.random.Generator) -> int:
    """Return the start of a part of a length: random, but closer to the center than a uniform one."""
    room = length - part
    return round((1 - _PULL) * random.uniform(0, room) + _PULL * room / 2)


def _scaled(images: Tensor, size: tuple[int, int], geometry: ViewGeometry) -> Tensor:
    return F.interpolate(images, size, mode=_MODES[geometry.interpolation], antialias=True, align_corners=False)


def _filter(length: int, geometry: ViewGeometry) -> Tensor:
    """Return the matrix that scales `length` pixels to the input of a classifier, (size, length) float32."""
    return _scaled(torch.eye(length)[None, None], (geometry.size, length), geometry)[0, 0]


def _cell_means(matrix: Tensor, start: int, length: int, cell: int) -> Tensor:
    """Average the columns of (size, part) by cell, where the part starts at `start` of `length`: (size, cells)."""
    cells = torch.arange(length) // cell
    sums = torch.zeros(len(matrix), int(cells[-1]) + 1).index_add_(1, cells[start : start + matrix.shape[1]], matrix)
    return sums / cells.bincount()
