"""Loader of the worker process: quantizers and classifiers of the registry, each loaded once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import torch

from models.errors import CorruptCheckpoint, UnknownModel
from models.evaluation.compare import Setting
from models.names import PHOTOGRAPH_METHODS, REFINED_IN_ONE_PASS
from models.networks.prefilter import Prefilter
from models.quantizers.base import MAX_COLORS, MIN_COLORS, Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.quantizers.learned.prefiltering import load_prefilter
from models.recognizer import Recognizer, load_recognizer
from models.zoo.registry import Registry
from service.benchmark.worker import Classifier
from service.errors import NotReady
from service.inference.networks import load_network, refined_quantizer


@dataclass(frozen=True)
class ModelLoader:
    """Networks of the registry in `folder`, on a torch device; None means the shipped networks.

    weights: names and hashes of the checkpoints that the registry must have; None for any.
    """

    folder: Path | None
    device: str
    weights: frozenset[tuple[str, str]] | None = None

    def pinned(self, sha256: Mapping[str, str]) -> Self:
        return replace(self, weights=frozenset(sha256.items()))

    def registry(self) -> Registry:
        """Return the registry. Raises CorruptCheckpoint if it has other checkpoints than `weights`."""
        registry = Registry.open(self.folder)
        found = frozenset((entry.name, entry.sha256) for entry in registry.available())
        if self.weights not in (None, found):
            raise CorruptCheckpoint("the manifest names other checkpoints than at the start")
        return registry

    def quantizer(self, setting: Setting) -> Quantizer:
        with _unchanged():
            return _quantizer(self, setting.method, setting.model)

    def classifier(self, name: str) -> Classifier:
        with _unchanged():
            return _classifier(self, name)


@contextmanager
def _unchanged() -> Iterator[None]:
    """Raise NotReady for a checkpoint that cannot be loaded: every file was sound at the start."""
    try:
        yield
    except CorruptCheckpoint as error:
        raise NotReady("The folder of the models has changed since the start.") from error


@cache
def _classifier(loader: ModelLoader, name: str) -> Recognizer:
    return load_recognizer(loader.registry(), name, torch.device(loader.device))


@cache
def _quantizer(loader: ModelLoader, method: str, model: str | None) -> Quantizer:
    """Return a warm quantizer, which has quantized one image, so that no row measures one-time work."""
    quantizer: Quantizer
    if model is None:
        quantizer, colors = CLASSICAL[method], MIN_COLORS
    elif method in PHOTOGRAPH_METHODS:
        quantizer, colors = _refined(loader, method, model), MIN_COLORS
    else:
        quantizer, colors = _network(loader, model)
    if isinstance(quantizer, LearnedQuantizer):
        quantizer = quantizer.for_method(method)
    quantizer.quantize(np.arange(64 * 48 * 3, dtype=np.uint32).reshape(64, 48, 3).astype(np.uint8), colors)
    return quantizer


def _refined(loader: ModelLoader, method: str, classifier: str) -> Quantizer:
    registry = loader.registry()
    if method != REFINED_IN_ONE_PASS:
        names = registry.manifest.recognizers(classifier)
        return refined_quantizer(method, tuple(_classifier(loader, name) for name in names))
    prefilter = load_prefilter(registry, registry.manifest.prefilter(classifier), torch.device(loader.device))
    return refined_quantizer(method, (_classifier(loader, classifier),), prefilter)


def _network(loader: ModelLoader, name: str) -> tuple[Quantizer, int]:
    """Return a quantizer with a network, and its smallest number of colors."""
    registry = loader.registry()
    entry = registry.entry(name)
    quantizer = load_network(registry, entry, torch.device(loader.device))
    if isinstance(quantizer, Recognizer | Prefilter):
        raise UnknownModel(f"{name!r} is a {entry.kind}, not a quantizer")
    return quantizer, (entry.colors or (MIN_COLORS, MAX_COLORS))[0]
