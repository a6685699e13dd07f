"""The networks of a registry, loaded on one device."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import BadOption, ColorCNNError, UnknownMethod, UnknownModel
from models.names import LEARNED_METHOD, LEARNED_METHODS, PUBLISHED_METHOD, ModelKind
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.quantizers.base import MAX_COLORS, MIN_COLORS, Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.quantizers.learned.published import load_published
from models.recognizer import Recognizer, load_recognizer
from models.rgb import Pixels
from models.zoo.registry import ModelEntry, Registry
from service.inference.engine import Selection

# What the networks are warmed up with: a single image, the two of a request to /quantize, as many as go together; a
# photo. Another size of batch costs its first request some 10 ms on one core.
_WARM_BATCHES = (1, 2, 64)


_WARM_PHOTO = (256, 512)


class NoSuchDevice(ColorCNNError):
    """COLORCNN_DEVICE asks for a device that torch does not see."""


class ModelEngine:
    """The networks of a registry, on one device. Empty until `load`.

    Args:
        folder: where manifest.json and the checkpoints are; None for those that ship with the project.
        device: "auto", "cpu", "cuda" or "cuda:<n>".
        default_classifier, default_colorcnn: used when a request names no model; None for the manifest's defaults.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        device: str = "auto",
        default_classifier: str | None = None,
        default_colorcnn: str | None = None,
    ) -> None:
        self._folder = folder
        self._device = pick_device(device)
        self._default_names = {ModelKind.CLASSIFIER: default_classifier, ModelKind.COLORCNN: default_colorcnn}
        self._defaults: dict[ModelKind, ModelEntry] = {}
        self._recognizers: dict[str, Recognizer] = {}
        self._quantizers: dict[str, Quantizer] = {}
        self._entries: dict[str, ModelEntry] = {}
        self._results: list[Mapping[str, Any]] = []

    @property
    def device(self) -> str:
        return str(self._device)

    def device_memory(self) -> int | None:
        return torch.cuda.memory_allocated(self._device) if self._device.type == "cuda" else None

    def load(self) -> None:
        """Load and warm every classifier and quantizer of the manifest.

        Raises:
            CorruptCheckpoint: the manifest, a checkpoint or a file of results is missing or damaged.
            UnknownModel: a default names no model, or the manifest has no classifier or no quantizer.
        """
        registry = Registry.open(self._folder)
        for entry in registry.available():
            self._load_entry(registry, entry)
            measured = registry.results(entry.name)
            if measured is not None and measured not in self._results:  # one file may be of several models
                self._results.append(measured)
        for kind, name in self._default_names.items():
            self._defaults[kind] = self._entry(kind, name or registry.default(kind).name)
        self._warm()

    def models(self) -> tuple[ModelEntry, ...]:
        return tuple(self._entries.values())

    def methods(self) -> tuple[str, ...]:
        published = (
            [PUBLISHED_METHOD] if any(entry.kind == ModelKind.COLORCNN_PUBLISHED for entry in self.models()) else []
        )
        return (*LEARNED_METHODS, *published, *CLASSICAL)

    def results(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(self._results)

    def choose(
        self, method: str, model: str | None, colors: int, classifier: str | None = None, *, fidelity: float = 0.0
    ) -> Selection:
        if method not in self.methods():
            raise UnknownMethod(f"There is no method {method!r:.80}; the methods are {', '.join(self.methods())}.")
        if fidelity and method != LEARNED_METHOD:
            raise BadOption(f"The method {method!r} heeds no `fidelity`; leave it out, or ask for {LEARNED_METHOD!r}.")
        if method in LEARNED_METHODS:
            return self._select_learned(method, model, fidelity)
        if method == PUBLISHED_METHOD:
            return self._select_published(model, colors, classifier or self._defaults[ModelKind.COLORCNN].classifier)
        return self._select_classical(method, model)

    def classifier(self, model: str | None) -> ModelEntry:
        return self._entry(ModelKind.CLASSIFIER, model)

    def supports_fidelity(self, model: str) -> bool:
        quantizer = self._quantizers.get(model)
        return isinstance(quantizer, LearnedQuantizer) and quantizer.supports_fidelity

    def quantize(self, pixels: Pixels, colors: int, selection: Selection) -> PaletteImage:
        return self._quantizer(selection).quantize(pixels, colors)

    def native_size(self, selection: Selection) -> int | None:
        quantizer = self._quantizer(selection)
        return quantizer.size if isinstance(quantizer, LearnedQuantizer) else None

    def quantize_batch(self, images: Sequence[Pixels], colors: int, selection: Selection) -> list[PaletteImage]:
        quantizer = self._quantizer(selection)
        if not isinstance(quantizer, LearnedQuantizer):
            raise ValueError(f"{quantizer.name} paints one image at a time")
        return quantizer.quantize_batch(np.stack(images), colors)

    def view(self, pixels: Pixels, model: str | None) -> Pixels:
        return self._recognizer(model).view(pixels)

    def predict(self, views: Sequence[Pixels], top_k: int, model: str | None) -> list[tuple[Prediction, ...]]:
        return self._recognizer(model).rank_batch(np.stack(views), top_k)

    def activation_map(self, view: Pixels, index: int, model: str | None) -> NDArray[np.float32]:
        return self._recognizer(model).activation_map(view, index)

    def _quantizer(self, selection: Selection) -> Quantizer:
        quantizer = CLASSICAL[selection.method] if selection.model is None else self._quantizers[selection.model]
        if not isinstance(quantizer, LearnedQuantizer):
            return quantizer
        return replace(quantizer.for_method(selection.method), fidelity=selection.fidelity)

    def _recognizer(self, model: str | None) -> Recognizer:
        return self._recognizers[self.classifier(model).name]

    def _load_entry(self, registry: Registry, entry: ModelEntry) -> None:
        if entry.kind == ModelKind.CLASSIFIER:
            self._recognizers[entry.name] = load_recognizer(registry, entry.name, self._device)
        elif entry.kind == ModelKind.COLORCNN:
            self._quantizers[entry.name] = load_quantizer(registry, entry.name, self._device)
        else:
            self._quantizers[entry.name] = load_published(registry, entry.name, self._device)
        self._entries[entry.name] = entry

    def _select_learned(self, method: str, model: str | None, fidelity: float) -> Selection:
        entry = self._entry(ModelKind.COLORCNN, model)
        if fidelity and not self.supports_fidelity(entry.name):
            known = ", ".join(filter(self.supports_fidelity, self._entries)) or "none"
            raise BadOption(f"The model {entry.name!r} heeds no `fidelity`; leave it out. Models that do: {known}.")
        return Selection(method, entry.name, entry.classifier or self._defaults[ModelKind.CLASSIFIER].name, fidelity)

    def _select_published(self, model: str | None, colors: int, judge: str | None) -> Selection:
        """The network of that name, or one trained against that classifier, for that number of colors."""
        published = [entry for entry in self.models() if entry.kind == ModelKind.COLORCNN_PUBLISHED]
        found = [entry for entry in published if (entry.name == model if model else entry.classifier == judge)]
        if model and not found:
            raise _unknown_model(ModelKind.COLORCNN_PUBLISHED, model, published)
        for entry in found:
            if entry.colors == (colors, colors):
                return Selection(
                    PUBLISHED_METHOD, entry.name, entry.classifier or self._defaults[ModelKind.CLASSIFIER].name
                )
        known = ", ".join(f"{entry.colors[0]}" for entry in found if entry.colors) or "none"
        raise BadOption(f"{PUBLISHED_METHOD} needs a network for each number of colors; there is one for {known}.")

    def _select_classical(self, method: str, model: str | None) -> Selection:
        if model is not None:
            self._entry(ModelKind.COLORCNN, model)
            raise BadOption(f"The method {method!r} uses no model; leave out `model`, or ask for {LEARNED_METHOD!r}.")
        return Selection(method, None, self._defaults[ModelKind.CLASSIFIER].name)

    def _entry(self, kind: ModelKind, name: str | None) -> ModelEntry:
        if name is None:
            return self._defaults[kind]
        entry = self._entries.get(name)
        if entry is None or entry.kind != kind:
            raise _unknown_model(kind, name, self._entries.values())
        return entry

    def _warm(self) -> None:
        """A first pass of each network over shapes that requests have: allocations and kernel choices happen now."""
        for name, quantizer in self._quantizers.items():
            for colors in set(self._entries[name].colors or (MIN_COLORS, MAX_COLORS)):
                if isinstance(quantizer, LearnedQuantizer):
                    quantizer.quantize(_noise(*_WARM_PHOTO), colors)
                    for count in _WARM_BATCHES:
                        quantizer.quantize_batch(_noise(count, quantizer.size, quantizer.size), colors)
                else:
                    quantizer.quantize(_noise(64, 48), colors)
        for recognizer in self._recognizers.values():
            for count in _WARM_BATCHES:
                recognizer.rank_batch(_noise(count, recognizer.size, recognizer.size), 1)
            recognizer.activation_map(_noise(64, 48), 0)


def _noise(*shape: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def pick_device(name: str) -> torch.device:
    """The torch device for a setting; "auto" is CUDA when there is one, else the CPU. Raises NoSuchDevice."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise NoSuchDevice(f"COLORCNN_DEVICE is {name}, but torch sees {torch.cuda.device_count()} CUDA devices.")
    return device


def _unknown_model(kind: ModelKind, name: str, entries: Iterable[ModelEntry]) -> UnknownModel:
    known = ", ".join(entry.name for entry in entries if entry.kind == kind) or "none"
    return UnknownModel(f"There is no {kind} model {name!r:.80}; loaded are {known}.")
