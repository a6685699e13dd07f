"""Labeled images that a small network learns in seconds, made so that k-means at two colors hides what matters."""

import math

import torch

from training.data.datasets import LabeledImages

# In the order of folder names; a mirror image has the same class.
CLASSES = ("level", "slanted", "upright")


def stripes(count: int, *, seed: int = 0, size: int = 16) -> LabeledImages:
    """Faint stripes, upright, level or slanted, on a step of brightness that is twice as strong."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, len(CLASSES), (count,), generator=generator)
    phase, turn = (2 * math.pi * torch.rand(2, count, 1, 1, generator=generator)).unbind(0)
    y, x = torch.meshgrid(torch.arange(size) - size / 2 + 0.5, torch.arange(size) - size / 2 + 0.5, indexing="ij")
    slant = 1 + 2 * torch.randint(0, 2, (count,), generator=generator)  # falling or rising, in units of 45 degrees
    angle = torch.where(labels == 1, slant, 2 - labels).view(-1, 1, 1) * math.pi / 4
    waves = 0.15 * torch.sin(math.pi / 2 * (x * angle.cos() + y * angle.sin()) + phase)
    step = 0.3 * torch.sign(x * turn.cos() + y * turn.sin())
    gray = (0.5 + waves + step).unsqueeze(1).repeat(1, 3, 1, 1)
    noisy = gray + 0.02 * torch.randn(gray.shape, generator=generator)
    images = noisy.clamp(0, 1).mul(255).round().to(torch.uint8)
    return LabeledImages(images.contiguous(memory_format=torch.channels_last), labels, CLASSES)
