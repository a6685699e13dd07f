"""What a request selects: a method with its options, its network, and its classifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from models.quantizers.base import Backdrop
from service.schemas.fields import Rgb
from service.schemas.methods import DITHER, FIDELITY, PALETTE, TRANSFERABLE


class MethodOptions(TypedDict, total=False):
    """Options that only some methods support.

    fidelity: 0 to 1, 0 if it is left out. transferable: whether a refined image is optimized for the transfer
    classifiers, too; if left out, it is. dither: whether a refined image diffuses errors; None for the choice by its
    scale. palette: fixed colors; None for the choice by the method.
    """

    fidelity: float
    transferable: bool
    dither: bool | None
    palette: tuple[Rgb, ...] | None


def given(options: MethodOptions) -> list[str]:
    """Return the names of the options that differ from their defaults."""
    given = {
        FIDELITY: options.get("fidelity", 0.0) != 0,
        TRANSFERABLE: not options.get("transferable", True),
        DITHER: options.get("dither") is not None,
        PALETTE: options.get("palette") is not None,
    }
    return [name for name, is_given in given.items() if is_given]


@dataclass(frozen=True)
class Selection:
    """A quantizer and the classifier that reads its images, with every default filled in.

    method: name of the quantization method. model: name of the method's network; None for a classical method.
    classifier: name of the classifier that reads the image before and after. fidelity: 0 for an image that the
    classifier reads best, 1 for one that is closest to the original; 0 where the network does not support it.
    recognizers: names of the classifiers that a refined image is optimized for, `model` first; empty for other methods.
    dither: whether a refined image diffuses errors; None for the choice by its scale. prefilter: name of the network
    that predicts the change of a refined image; None for a descent. palette: fixed colors; None where the method
    chooses them. backdrop: what recognizers see of a picture with transparent parts; None for an opaque picture.

    Raises ValueError for a fidelity outside [0, 1].
    """

    method: str
    model: str | None
    classifier: str
    fidelity: float = 0.0
    recognizers: tuple[str, ...] = ()
    dither: bool | None = None
    prefilter: str | None = None
    palette: tuple[Rgb, ...] | None = None
    backdrop: Backdrop | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.fidelity <= 1:
            raise ValueError(f"fidelity must be from 0 to 1, not {self.fidelity}")

    @property
    def on_device(self) -> bool:
        """Whether a network quantizes."""
        return self.model is not None
