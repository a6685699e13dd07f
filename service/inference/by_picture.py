"""Decisions that depend on the size of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from models.rgb import Pixels

Item = TypeVar("Item")


@dataclass(frozen=True)
class ByPicture(Generic[Item]):
    """A decision that depends on the size of the image, which is unknown before the image is decoded.

    small: item for an image whose shorter side has at most `largest_side` pixels. photograph: item for a larger image.
    """

    small: Item
    photograph: Item
    largest_side: int

    def of(self, pixels: Pixels) -> Item:
        """Return the item for an image of (H, W, 3) uint8."""
        return self.of_side(min(pixels.shape[:2]))

    def of_side(self, shorter_side: int) -> Item:
        """Return the item for an image by its shorter side in pixels."""
        return self.small if shorter_side <= self.largest_side else self.photograph
