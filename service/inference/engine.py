"""The engine: every network that is loaded, on one device, behind names. It knows nothing of HTTP or of uploads.

`Engine` is what the service needs; `ModelEngine` is the real one; tests bring their own. Its methods block and are
called from worker threads; those that use the device are called one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.rgb import Pixels
from models.zoo.registry import ModelEntry


@dataclass(frozen=True)
class Selection:
    """Who quantizes and who judges, with every default filled in.

    method: name of the quantizer. model: the network that it uses, None for a classical method. classifier: the
    classifier that reads the image before and after. fidelity: whose eye the painted image serves, from 0, the
    classifier's, to 1, the human's; 0 where nobody heeds it.
    """

    method: str
    model: str | None
    classifier: str
    fidelity: float = 0.0

    @property
    def on_device(self) -> bool:
        """Whether a network paints."""
        return self.model is not None


class Engine(Protocol):
    """What the service asks of its models. Pixels are (H, W, 3) uint8 sRGB; None as a model means the default one."""

    @property
    def device(self) -> str:
        """Where the networks run: "cpu", "cuda" or "cuda:1"."""

    def device_memory(self) -> int | None:
        """Bytes of GPU memory that tensors hold; None where there is no GPU."""

    def load(self) -> None:
        """Load every network and run each on the usual shapes, so that the first request is not the slow one."""

    def models(self) -> tuple[ModelEntry, ...]:
        """The networks that are loaded."""

    def methods(self) -> tuple[str, ...]:
        """Names of the quantizers, the default one first."""

    def results(self) -> tuple[Mapping[str, Any], ...]:
        """What was measured with the models over whole test sets, as `training.evaluate` stored it."""

    def choose(
        self, method: str, model: str | None, colors: int, classifier: str | None = None, *, fidelity: float = 0.0
    ) -> Selection:
        """Check the names of a quantize request, and that what it names heeds a fidelity that is not 0.

        Raises UnknownMethod, UnknownModel or BadOption.
        """

    def classifier(self, model: str | None) -> ModelEntry:
        """The classifier of that name; raises UnknownModel."""

    def supports_fidelity(self, model: str) -> bool:
        """Whether `model`, the name of a network that is loaded, paints differently for different eyes."""

    def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        """Paint `pixels` with at most `colors` colors, for which `choose` made the choice."""

    def native_size(self, selection: Selection) -> int | None:
        """Side of the square images that the quantizer paints many at once; None where it paints one at a time."""

    def quantize_batch(self, images: Sequence[Pixels], colors: int, selection: Selection) -> list[PaletteImage]:
        """Paint each image as `quantize` does; all are squares of the quantizer's `own_size`."""

    def view(self, pixels: Pixels, model: str | None) -> Pixels:
        """What the classifier looks at, scaled from the image; it needs no device."""

    def predict(self, views: Sequence[Pixels], top_k: int, model: str | None) -> list[tuple[Prediction, ...]]:
        """The `top_k` likeliest classes of each image, given as the classifier's `view`, best first."""

    def activation_map(self, view: Pixels, index: int, model: str | None) -> NDArray[np.float32]:
        """How much each place speaks for the class `index`: (h, w) float32 in [0, 1], coarser than the view."""
