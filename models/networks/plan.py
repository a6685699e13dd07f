"""The plan of an image: everything global about it, from which the index logits of any of its pixels follow."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from models.networks.arg_max import arg_max_affine, arg_max_planes, chunk_size


class Window(NamedTuple):
    """Rectangle of pixels in an image of `image_height` x `image_width` pixels."""

    top: int
    left: int
    image_height: int
    image_width: int


class Plan(NamedTuple):
    """Everything global about a batch of images. With a plan, any part of the images can be indexed by itself.

    The index logits of a pixel of color x are `weights . x + offsets`, plus the structure interpolated at the pixel.
    """

    structure: Tensor | None  # (B, K, s, s) float32, index logits from the features; None where K is above the cutoff
    weights: Tensor  # (B, K, 3) float32
    offsets: Tensor  # (B, K, 1) float32
    queries: Tensor | None = None  # (B, K, F) float32, from which `see` computes a structure; None where there is none

    @property
    def colors(self) -> int:
        """Number of palette entries, K."""
        return self.offsets.shape[1]

    def scale_structure(self, scale: float | Tensor) -> "Plan":
        """Return the plan with its structure multiplied by `scale`; at 0 the plan is plain k-means.

        scale: one number for all images, or (B,) float32.
        """
        if self.structure is None:
            return self
        factors = torch.as_tensor(scale, device=self.structure.device).view(-1, 1, 1, 1)
        return self._replace(structure=self.structure * factors)

    def see(self, features: Tensor) -> "Plan":
        """Return the plan with the structure that other features give, unscaled; the same plan if it has no structure.

        features: (B, F, s, s) float32, the feature vector of each pixel of the view.
        """
        if self.queries is None:
            return self
        with torch.autocast(features.device.type, enabled=False):
            structure = torch.bmm(self.queries, features.flatten(2))
        return self._replace(structure=structure.unflatten(2, features.shape[2:]))

    def repeat(self, count: int) -> "Plan":
        """Return the plan of the batch repeated `count` times, (count B, ...): all images, then all of them again."""
        return self._map(lambda part: part.repeat(count, *[1] * (part.ndim - 1)))

    def part(self, images: slice | Tensor) -> "Plan":
        """Return the plan of some images of the batch. images: their numbers, as a slice or as a mask of (B,) bool."""
        return self._map(lambda part: part[images])

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Plan":
        structure, queries = (None if part is None else change(part) for part in (self.structure, self.queries))
        return Plan(structure, change(self.weights), change(self.offsets), queries)

    def index_logits(self, images: Tensor, window: Window | None = None) -> Tensor:
        """Compute the index logits of the pixels of whole images, or of a window of them.

        Args:
            images: (B, 3, h, w) float32 in [0, 1].
            window: position of `images` in the whole images; None if `images` are the whole images.

        Returns:
            (B, K, h, w) float32.
        """
        return _logits_of_rows(images, self, _bilinear(images, self, window), slice(None))

    @torch.no_grad()
    def indices(self, images: Tensor, window: Window | None = None) -> Tensor:
        """Compute the most probable index of each pixel: the arg max of `index_logits`, in bounded memory.

        Takes the arguments of `index_logits`. Only the logits of a few rows of pixels exist at a time.

        Returns:
            (B, h, w) uint8.
        """
        if self.structure is None:
            nearest = arg_max_affine(images.float().flatten(2).mT, self.weights, self.offsets)
            return nearest.view(images[:, 0].shape)
        bilinear = _bilinear(images, self, window)
        step = max(1, chunk_size(images.device) // (self.offsets.numel() * images.shape[3]))
        bands = [slice(top, top + step) for top in range(0, images.shape[2], step)]
        return torch.cat([arg_max_planes(_logits_of_rows(images, self, bilinear, rows)) for rows in bands], 1)


class _Bilinear(NamedTuple):
    """Weights of a bilinear interpolation of the structure, one axis at a time."""

    rows: Tensor  # (h, s) float32
    columns: Tensor  # (w, s) float32


def _bilinear(images: Tensor, plan: Plan, window: Window | None) -> _Bilinear | None:
    """Return the interpolation of the structure to the pixels of `window`; None where no interpolation is needed."""
    height, width = images.shape[2:]
    top, left, image_height, image_width = window or Window(0, 0, height, width)
    if plan.structure is None or plan.structure.shape[2:] == (image_height, image_width) == (height, width):
        return None
    rows = _axis_weights(plan.structure, top, height, image_height)
    return _Bilinear(rows, _axis_weights(plan.structure, left, width, image_width))


def _axis_weights(structure: Tensor, start: int, count: int, length: int) -> Tensor:
    """Return the interpolation weights of pixels `start` to `start + count` of an axis of `length` pixels.

    Row i of the (count, s) float32 result holds the weights of the s cells of the structure at pixel `start + i`.
    """
    cells = structure.shape[2]
    positions = torch.arange(start, start + count, device=structure.device, dtype=torch.float64) + 0.5
    positions = (positions * (cells / length) - 0.5).clamp(0, cells - 1)
    distances = positions.unsqueeze(1) - torch.arange(cells, device=structure.device)
    return (1 - distances.abs()).clamp_min(0).to(structure.dtype)


def _logits_of_rows(images: Tensor, plan: Plan, bilinear: _Bilinear | None, rows: slice) -> Tensor:
    """Compute the index logits of n rows of the images, (B, K, n, w) float32."""
    pixels = images[:, :, rows].float()
    with torch.autocast(images.device.type, enabled=False):
        # float32 throughout: at large K the color term is a small difference of large numbers.
        logits = torch.baddbmm(plan.offsets, plan.weights, pixels.flatten(2)).view(len(pixels), -1, *pixels.shape[2:])
        if plan.structure is None:
            return logits
        if bilinear is None:
            return logits.add_(plan.structure[:, :, rows])
        return logits.add_(bilinear.rows[rows] @ plan.structure @ bilinear.columns.T)
