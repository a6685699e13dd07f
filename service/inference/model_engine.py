"""The engine of the service: the networks of a registry, loaded on one device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.names import ModelKind
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.recognizer import Recognizer
from models.rgb import Pixels
from models.zoo.registry import Registry
from service.inference.networks import Network, load_network, pick_device, warm
from service.inference.selection import Catalog, Selection


class ModelEngine:
    """The networks of a registry, on one device. Empty until `load`; see `service.inference.engine.Engine`.

    Args:
        folder: folder of manifest.json and the checkpoints; None for the models that ship with the project.
        device: "auto", "cpu", "cuda" or "cuda:<n>".
        default_classifier, default_colorcnn: names of the models that serve requests without a model; None for the
            defaults of the manifest.
        photograph_defaults: whether photographs have a default method and a default classifier of their own.
        default_photograph_classifier: name of the classifier of photographs; None for `default_classifier` or, without
            it, for the one of the manifest.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        device: str = "auto",
        default_classifier: str | None = None,
        default_colorcnn: str | None = None,
        photograph_defaults: bool = False,
        default_photograph_classifier: str | None = None,
    ) -> None:
        self._folder = folder
        self._device = pick_device(device)
        self._default_names = {ModelKind.CLASSIFIER: default_classifier, ModelKind.COLORCNN: default_colorcnn}
        self._photograph_defaults = photograph_defaults
        self._photograph_classifier = default_photograph_classifier or default_classifier
        self._catalog = Catalog()
        self._networks: Mapping[str, Network] = {}
        self._results: tuple[Mapping[str, Any], ...] = ()

    @property
    def device(self) -> str:
        return str(self._device)

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    def device_memory(self) -> int | None:
        return torch.cuda.memory_allocated(self._device) if self._device.type == "cuda" else None

    def load(self) -> None:
        """Load and warm every network of the manifest.

        Raises:
            CorruptCheckpoint: the manifest, a checkpoint or a file of results is missing or damaged.
            UnknownModel: a default names no model, or the manifest has no classifier or no quantizer.
        """
        registry = Registry.open(self._folder)
        self._networks = {entry.name: load_network(registry, entry, self._device) for entry in registry.available()}
        self._results = _results(registry)
        catalog = self._make_catalog(registry)
        for entry in catalog.entries:
            warm(self._networks[entry.name], entry)
        self._catalog = catalog

    def results(self) -> tuple[Mapping[str, Any], ...]:
        return self._results

    def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        return self._quantizer(selection).quantize(pixels, colors)

    def native_size(self, selection: Selection) -> int | None:
        quantizer = self._quantizer(selection)
        return quantizer.size if isinstance(quantizer, LearnedQuantizer) else None

    def quantize_batch(self, images: Sequence[Pixels], colors: int, selection: Selection) -> list[PaletteImage]:
        quantizer = self._quantizer(selection)
        if not isinstance(quantizer, LearnedQuantizer):
            raise ValueError(f"{quantizer.name} quantizes one image at a time")
        return quantizer.quantize_batch(np.stack(images), colors)

    def view(self, pixels: Pixels, classifier: str) -> Pixels:
        return self._recognizer(classifier).view(pixels)

    def predict(self, views: Sequence[Pixels], top_k: int, classifier: str) -> list[tuple[Prediction, ...]]:
        return self._recognizer(classifier).rank_batch(np.stack(views), top_k)

    def activation_map(self, view: Pixels, index: int, classifier: str) -> NDArray[np.float32]:
        return self._recognizer(classifier).map_of_view(view, index)

    def _make_catalog(self, registry: Registry) -> Catalog:
        defaults = {kind: name or registry.default(kind).name for kind, name in self._default_names.items()}
        supporting_fidelity = frozenset(
            name
            for name, network in self._networks.items()
            if isinstance(network, LearnedQuantizer) and network.supports_fidelity
        )
        photograph_classifier = self._photograph_classifier or registry.manifest.photograph_classifier
        return Catalog(
            registry.available(),
            MappingProxyType(defaults),
            supporting_fidelity,
            self._photograph_defaults,
            photograph_classifier,
        )

    def _quantizer(self, selection: Selection) -> Quantizer:
        if selection.model is None:
            return CLASSICAL[selection.method]
        quantizer = self._networks[selection.model]
        if isinstance(quantizer, Recognizer):
            raise TypeError(f"{selection.model} is no quantizer")
        if isinstance(quantizer, LearnedQuantizer):
            return replace(quantizer.for_method(selection.method), fidelity=selection.fidelity)
        return quantizer

    def _recognizer(self, name: str) -> Recognizer:
        network = self._networks[name]
        if not isinstance(network, Recognizer):
            raise TypeError(f"{name} is no classifier")
        return network


def _results(registry: Registry) -> tuple[Mapping[str, Any], ...]:
    """Return the stored reports of all models; several models may share one."""
    reports: list[Mapping[str, Any]] = []
    for entry in registry.available():
        report = registry.results(entry.name)
        if report is not None and report not in reports:
            reports.append(report)
    return tuple(reports)
