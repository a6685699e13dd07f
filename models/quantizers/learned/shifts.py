"""The images as the network may see them as well: shifted by some pixels, and mirrored."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F


class Shift(NamedTuple):
    """A view of images, (B, C, s, s), that has their pixels at other places; what leaves it is missing.

    mirrored: whether left and right change places, after the shift. down, right: pixels that the content moves by.
    """

    mirrored: bool
    down: int
    right: int

    def of(self, images: Tensor) -> Tensor:
        """Return the images as this view shows them; a border is filled by reflection, as in training."""
        moved = _move(images, self.down, self.right)
        return moved.flip(3) if self.mirrored else moved

    def undo(self, maps: Tensor) -> Tensor:
        """Return what was computed of the view, (B, F, s, s), at the places of the images' own pixels."""
        straight = maps.flip(3) if self.mirrored else maps
        return _move(straight, -self.down, -self.right)


def towards_corners(distances: Sequence[int]) -> tuple[Shift, ...]:
    """Return eight views for each distance in pixels: towards each corner, straight and mirrored."""
    return tuple(
        Shift(mirrored, down * distance, right * distance)
        for distance in distances
        for mirrored, down, right in product((False, True), (1, -1), (1, -1))
    )


def _move(images: Tensor, down: int, right: int) -> Tensor:
    margin = max(abs(down), abs(right))
    height, width = images.shape[2:]
    padded = F.pad(images, (margin,) * 4, mode="reflect")
    top, left = margin - down, margin - right
    return padded[:, :, top : top + height, left : left + width]
