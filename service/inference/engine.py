"""The interface of the engine: networks on one device, by name, independent of HTTP and uploads.

`service.inference.model_engine.ModelEngine` implements the interface with networks; tests implement it with fakes. The
methods block and run in worker threads, a few of them at a time. Long ones call `models.pauses.pause` after each part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.rgb import Pixels
from service.inference.catalog import Catalog
from service.inference.selection import Selection


class Engine(Protocol):
    """Networks for the service. Pixels are (H, W, 3) uint8 sRGB; a `classifier` is the name of a loaded one."""

    @property
    def device(self) -> str:
        """Device of the networks: "cpu", "cuda" or "cuda:1"."""

    @property
    def catalog(self) -> Catalog:
        """Models and methods to select from; empty until `load`."""

    def device_memory(self) -> int | None:
        """Return the bytes of GPU memory that tensors occupy; None without a GPU."""

    def load(self) -> None:
        """Load networks and run each on common shapes, so that the first request is not slow."""

    def loaded(self) -> frozenset[str]:
        """Return the names of the networks in memory; the first request that names another one loads it."""

    def results(self) -> tuple[Mapping[str, Any], ...]:
        """Return the reports of `training.evaluate` that belong to the loaded models."""

    def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        """Quantize `pixels` to at most `colors` colors, the number that the selection was made for."""

    def native_size(self, selection: Selection) -> int | None:
        """Return the side of the square views from which the quantizer plans a batch; None where it batches none."""

    def quantize_batch(self, images: Sequence[Pixels], colors: int, selection: Selection) -> list[PaletteImage]:
        """Quantize each image as `quantize` does. Sizes may differ. Only for a quantizer with a `native_size`."""

    def view(self, pixels: Pixels, classifier: str) -> Pixels:
        """Scale an image to the classifier's input; this needs no device."""

    def predict(self, views: Sequence[Pixels], top_k: int, classifier: str) -> list[tuple[Prediction, ...]]:
        """Return the `top_k` most probable classes of each of the classifier's views, best first."""

    def activation_map(self, view: Pixels, index: int, classifier: str) -> NDArray[np.float32]:
        """Return the evidence for the class `index` across the view: (h, w) float32 in [0, 1], h and w small."""
