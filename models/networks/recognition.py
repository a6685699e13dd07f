"""What a recognizer needs of a network; own classifiers and imported programs provide it."""

from typing import Protocol

from torch import Tensor

_SHARPNESS = 3.0


def sharp_answers(logits: Tensor) -> Tensor:
    """Return log probabilities, (B, classes), raised to a power above 1 and normalized; logits: (B, classes).

    As a target for a changed picture, they give the answer for the original a margin.
    """
    return (_SHARPNESS * logits).log_softmax(1)


class RecognitionNetwork(Protocol):
    """Frozen classifier of square images that normalizes its input itself; logits are differentiable in the images."""

    @property
    def size(self) -> int:
        """Side of the input in pixels."""

    @property
    def supports_maps(self) -> bool:
        """Whether `class_maps` works; a network without features of a height and a width has none."""

    def __call__(self, images: Tensor, /) -> Tensor:
        """Compute logits: (B, 3, size, size) float32 in [0, 1] -> (B, classes)."""

    def class_maps(self, images: Tensor, classes: Tensor) -> Tensor:
        """Compute the evidence for one class of each image, (B, h, w) with small h and w. classes: (B,) int64.

        Raises ValueError where `supports_maps` is false.
        """
