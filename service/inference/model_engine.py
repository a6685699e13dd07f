"""The engine of the service: the networks of a registry, loaded on one device."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import CorruptCheckpoint, UnknownModel
from models.names import REFINED_QUICKLY, ModelKind
from models.networks.classifiers import Classifier
from models.networks.colorcnn import ColorCNN, ColorCNNConfig
from models.networks.prefilter import Prefilter
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.quantizers.base import MIN_COLORS, Quantizer
from models.quantizers.classical.catalog import classical_for
from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.quantizers.learned.refined import RefinedQuantizer
from models.recognizer import Recognizer
from models.rgb import Pixels
from models.zoo.checkpoint import Checkpoint
from models.zoo.manifest import ModelEntry
from models.zoo.registry import Registry
from service.errors import NotReady
from service.inference.catalog import Catalog
from service.inference.networks import (
    Network,
    load_network,
    pick_device,
    refined_quantizer,
    selects_kernels_by_shape,
    warm,
    warm_refined,
)
from service.inference.selection import Selection


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
        load: networks that `load` loads: "defaults" for those that requests without a model need, "all", "none", or
            names separated by commas. Other networks are loaded at their first use.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        device: str = "auto",
        default_classifier: str | None = None,
        default_colorcnn: str | None = None,
        photograph_defaults: bool = True,
        default_photograph_classifier: str | None = None,
        load: str = "all",
    ) -> None:
        self._folder = folder
        self._device = pick_device(device)
        self._default_names = {ModelKind.CLASSIFIER: default_classifier, ModelKind.COLORCNN: default_colorcnn}
        self._photograph_defaults = photograph_defaults
        self._photograph_classifier = default_photograph_classifier or default_classifier
        self._load = load
        self._catalog = Catalog()
        self._registry: Registry | None = None
        self._networks: dict[str, Network] = {}
        self._loading = threading.Lock()
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
        """Load and warm the networks of the start, and check the files of the others.

        Raises:
            CorruptCheckpoint: the manifest, a checkpoint or a file of results is missing or damaged.
            UnknownModel: a default names no model, or the manifest has no classifier.
        """
        registry = Registry.open(self._folder)
        self._registry = registry
        self._results = _results(registry)
        catalog = self._make_catalog(registry)
        every_shape = selects_kernels_by_shape(self._device)
        for name in self._at_start(catalog):
            warm(self._network(name), registry.entry(name), every_shape=every_shape)
        photographs = catalog.select(REFINED_QUICKLY, None, MIN_COLORS)
        if every_shape and self.loaded().issuperset(photographs.recognizers):
            warm_refined(self._refined(photographs))
        self._catalog = catalog

    def loaded(self) -> frozenset[str]:
        return frozenset(self._networks)

    def results(self) -> tuple[Mapping[str, Any], ...]:
        return self._results

    def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        return self._quantizer(selection).quantize(pixels, colors)

    def native_size(self, selection: Selection) -> int | None:
        # Called in the event loop, where no network may be loaded.
        entry = self._entry(selection.model) if selection.model else None
        return entry.size if entry and entry.kind is ModelKind.COLORCNN else None

    def quantize_batch(self, images: Sequence[Pixels], colors: int, selection: Selection) -> list[PaletteImage]:
        quantizer = self._quantizer(selection)
        if not isinstance(quantizer, LearnedQuantizer):
            raise ValueError(f"{quantizer.name} quantizes one image at a time")
        return quantizer.quantize_together(images, colors)

    def view(self, pixels: Pixels, classifier: str) -> Pixels:
        return self._entry(classifier).views.view(pixels)

    def predict(self, views: Sequence[Pixels], top_k: int, classifier: str) -> list[tuple[Prediction, ...]]:
        return self._recognizer(classifier).rank_batch(np.stack(views), top_k)

    def activation_map(self, view: Pixels, index: int, classifier: str) -> NDArray[np.float32]:
        return self._recognizer(classifier).map_of_view(view, index)

    def _make_catalog(self, registry: Registry) -> Catalog:
        defaults = {
            kind: name or registry.default(kind).name
            for kind, name in self._default_names.items()
            if name or kind is ModelKind.CLASSIFIER or kind in registry.manifest.defaults
        }
        supporting_fidelity = frozenset(
            entry.name
            for entry in registry.available()
            # Reads every file, so that a damaged one fails the start and not a request.
            if _supports_fidelity(registry.read(entry.name))
        )
        photograph_classifier = self._photograph_classifier or registry.manifest.photograph_classifier
        return Catalog(
            registry.available(),
            MappingProxyType(defaults),
            supporting_fidelity,
            self._photograph_defaults,
            photograph_classifier,
            registry.manifest.transfer_classifiers,
        )

    def _at_start(self, catalog: Catalog) -> list[str]:
        """Return the names of the networks to load at the start, in the order of the manifest."""
        names = [entry.name for entry in catalog.entries]
        if self._load == "all":
            return names
        if self._load == "none":
            return []
        if self._load != "defaults":
            wanted = self._load.split(",")
            for name in wanted:
                self._entry(name)
            return [name for name in names if name in wanted]
        defaults = {name for name in names if catalog.is_default(name)}
        partners = {entry.classifier for entry in catalog.entries if entry.name in defaults}
        if catalog.photographs:
            partners |= set(catalog.select(REFINED_QUICKLY, None, MIN_COLORS).recognizers)
        return [name for name in names if name in defaults | partners]

    def _entry(self, name: str) -> ModelEntry:
        if self._registry is None:
            raise UnknownModel("no models are loaded")
        return self._registry.entry(name)

    def _network(self, name: str) -> Network:
        """Return a network, which is loaded first if it is not in memory.

        Raises NotReady if its file, which was sound at the start, has changed since.
        """
        entry = self._entry(name)
        with self._loading:
            if name not in self._networks and self._registry is not None:
                try:
                    network = load_network(self._registry, entry, self._device)
                except CorruptCheckpoint as error:
                    if not self._catalog.entries:  # at the start, which then fails
                        raise
                    raise NotReady(f"The file of the model {name!r} has changed since the start.") from error
                if isinstance(network, LearnedQuantizer | Prefilter):
                    with_encoder = network if isinstance(network, Prefilter) else network.network
                    _share_encoder(with_encoder, self._networks.get(entry.classifier or ""))
                self._networks[name] = network
            return self._networks[name]

    def _quantizer(self, selection: Selection) -> Quantizer:
        if selection.model is None:
            palette = None if selection.palette is None else np.array(selection.palette, np.uint8)
            return classical_for(selection.method, palette)
        if selection.recognizers:
            return self._refined(selection)
        quantizer = self._network(selection.model)
        if isinstance(quantizer, Recognizer | Prefilter):
            raise TypeError(f"{selection.model} is no quantizer")
        if isinstance(quantizer, LearnedQuantizer):
            return replace(quantizer.for_method(selection.method), fidelity=selection.fidelity)
        return quantizer

    def _refined(self, selection: Selection) -> RefinedQuantizer:
        recognizers = tuple(self._recognizer(name) for name in selection.recognizers)
        prefilter = self._prefilter(selection.prefilter) if selection.prefilter else None
        return refined_quantizer(
            selection.method,
            recognizers,
            prefilter,
            fidelity=selection.fidelity,
            dither=selection.dither,
            palette=selection.palette,
            backdrop=selection.backdrop,
        )

    def _recognizer(self, name: str) -> Recognizer:
        network = self._network(name)
        if not isinstance(network, Recognizer):
            raise TypeError(f"{name} is no classifier")
        return network

    def _prefilter(self, name: str) -> Prefilter:
        network = self._network(name)
        if not isinstance(network, Prefilter):
            raise TypeError(f"{name} is no prefilter")
        return network


def _share_encoder(network: ColorCNN | Prefilter, classifier: Network | None) -> None:
    """Let a network use the module of its classifier, where the weights of its encoder are equal."""
    if not isinstance(classifier, Recognizer) or not isinstance(classifier.network, Classifier):
        return
    ours, theirs = network.encoder.state_dict(), classifier.network.state_dict()
    if ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours):
        network.encoder = classifier.network


def _supports_fidelity(stored: Checkpoint) -> bool:
    """Return whether a checkpoint is that of a network with several structure scales."""
    return stored.kind is ModelKind.COLORCNN and len(ColorCNNConfig.from_json(stored.config).structure_scales) > 1


def _results(registry: Registry) -> tuple[Mapping[str, Any], ...]:
    """Return the stored reports of all models; several models may share one."""
    reports: list[Mapping[str, Any]] = []
    for entry in registry.available():
        report = registry.results(entry.name)
        if report is not None and report not in reports:
            reports.append(report)
    return tuple(reports)
