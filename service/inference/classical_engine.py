"""An engine without networks and without torch: the classical quantizers, and no classifier.

The command `colorcnn` runs it where no network is needed, because importing torch takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import BadOption
from models.names import NEAREST, ModelKind
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.quantizers.classical.catalog import CLASSICAL, classical_for
from models.rgb import Pixels
from models.zoo.manifest import ModelEntry
from service.inference.catalog import Catalog
from service.inference.selection import Selection

_NONE = ModelEntry(
    name="none",
    file="none",
    sha256="0" * 64,
    kind=ModelKind.CLASSIFIER,
    architecture="none",
    dataset="none",
    classes=("none",),
    size=1,
    colors=None,
    classifier=None,
    accuracy={},
    command="none",
    card="none",
    results=None,
    cam=False,
)
"""Stands for the classifier that every selection names."""


class _ClassicalCatalog(Catalog):
    """The classical methods alone."""

    def methods(self) -> tuple[str, ...]:
        return tuple(name for name in super().methods() if name in CLASSICAL or name == NEAREST)


class ClassicalEngine:
    """Classical quantizers; see `service.inference.engine.Engine`. A request must leave out recognition."""

    device = "cpu"
    catalog: Catalog = _ClassicalCatalog((_NONE,), MappingProxyType({ModelKind.CLASSIFIER: _NONE.name}))

    def device_memory(self) -> int | None:
        return None

    def load(self) -> None:
        """Load nothing."""

    def loaded(self) -> frozenset[str]:
        return frozenset()

    def results(self) -> tuple[Mapping[str, Any], ...]:
        return ()

    def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        palette = None if selection.palette is None else np.array(selection.palette, np.uint8)
        return classical_for(selection.method, palette).quantize(pixels, colors)

    def native_size(self, selection: Selection) -> int | None:
        return None

    def quantize_batch(self, images: Sequence[Pixels], colors: int, selection: Selection) -> list[PaletteImage]:
        raise _no_network()

    def view(self, pixels: Pixels, classifier: str) -> Pixels:
        raise _no_network()

    def predict(self, views: Sequence[Pixels], top_k: int, classifier: str) -> list[tuple[Prediction, ...]]:
        raise _no_network()

    def activation_map(self, view: Pixels, index: int, classifier: str) -> NDArray[np.float32]:
        raise _no_network()


def _no_network() -> BadOption:
    return BadOption("No network is loaded; ask for recognize=false, and for a classical method.")
