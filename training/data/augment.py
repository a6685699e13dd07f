"""Random augmentation of a whole batch, (B, C, H, W) of any dtype; all randomness comes from the generator."""

import torch
from torch import Tensor


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flip each image horizontally with probability 1/2."""
    flipped = torch.rand(len(images), generator=generator, device=images.device) < 0.5
    return torch.where(flipped.view(-1, 1, 1, 1), images.flip(3), images)


def crop(images: Tensor, pad: int, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `pad` pixels in each direction; the border is filled by reflection."""
    b, _, h, w = images.shape
    dy, dx = torch.randint(-pad, pad + 1, (2, b, 1), generator=generator, device=images.device)
    rows = _reflect(torch.arange(h, device=images.device) + dy, h)
    columns = _reflect(torch.arange(w, device=images.device) + dx, w)
    # Channels last, so that one gather moves whole pixels.
    pixels = images.permute(0, 2, 3, 1)
    batch = torch.arange(b, device=images.device).view(-1, 1, 1)
    return pixels[batch, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)


def cutout(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Set a random square of `side` pixels in each image to zero (DeVries and Taylor, 2017); floating images only."""
    b, _, h, w = images.shape
    top = torch.randint(0, h - side + 1, (b, 1), generator=generator, device=images.device)
    left = torch.randint(0, w - side + 1, (b, 1), generator=generator, device=images.device)
    rows = _is_within(torch.arange(h, device=images.device), top, side)
    columns = _is_within(torch.arange(w, device=images.device), left, side)
    return images.masked_fill((rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1), 0.0)


def add_noise(images: Tensor, largest: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise to floating images; each image's standard deviation is uniform from 0 to `largest`."""
    deviation = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) * largest
    return images + deviation * torch.randn(images.shape, generator=generator, device=images.device)


def _reflect(index: Tensor, length: int) -> Tensor:
    """Fold indices that leave [0, length) back in, without repeating the border."""
    index = index.abs()
    return torch.minimum(index, 2 * (length - 1) - index)


def _is_within(index: Tensor, start: Tensor, length: int) -> Tensor:
    return (index >= start) & (index < start + length)
