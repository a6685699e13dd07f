"""Random views of an image, as a classifier might see it: differentiable crops that are scaled to its input."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from models.rgb import ViewGeometry

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

    def view(self, image: Tensor, geometry: ViewGeometry) -> Tensor:
        """Scale this part of an image to the input of a classifier: (B, 3, H, W) -> (B, 3, size, size)."""
        part = image[:, :, self.top : self.top + self.height, self.left : self.left + self.width]
        size = (geometry.size, geometry.size)
        return F.interpolate(part, size, mode=_MODES[geometry.interpolation], antialias=True, align_corners=False)


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
