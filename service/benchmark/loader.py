"""Loader of the worker process: quantizers and classifiers of the registry, each loaded once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from models.evaluation.compare import Setting
from models.names import ModelKind
from models.quantizers.base import MAX_COLORS, MIN_COLORS, Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.quantizers.learned.published import load_published
from models.recognizer import load_recognizer
from models.zoo.registry import Registry
from service.benchmark.worker import Classifier


@dataclass(frozen=True)
class ModelLoader:
    """Networks of the registry in `folder` (None: the shipped networks), on a torch device."""

    folder: Path | None
    device: str

    def quantizer(self, setting: Setting) -> Quantizer:
        return _quantizer(self, setting.method, setting.model)

    def classifier(self, name: str) -> Classifier:
        return _classifier(self, name)


@cache
def _classifier(loader: ModelLoader, name: str) -> Classifier:
    return load_recognizer(Registry.open(loader.folder), name, torch.device(loader.device))


@cache
def _quantizer(loader: ModelLoader, method: str, model: str | None) -> Quantizer:
    """Quantize a first image here, so that the milliseconds of no row include one-time work."""
    quantizer, colors = (CLASSICAL[method], MIN_COLORS) if model is None else _network(loader, model)
    if isinstance(quantizer, LearnedQuantizer):
        quantizer = quantizer.for_method(method)
    quantizer.quantize(np.arange(64 * 48 * 3, dtype=np.uint32).reshape(64, 48, 3).astype(np.uint8), colors)
    return quantizer


def _network(loader: ModelLoader, name: str) -> tuple[Quantizer, int]:
    """Return a quantizer with a network, and its lowest number of colors."""
    registry, device = Registry.open(loader.folder), torch.device(loader.device)
    entry = registry.entry(name)
    load = load_published if entry.kind == ModelKind.COLORCNN_PUBLISHED else load_quantizer
    return load(registry, name, device), (entry.colors or (MIN_COLORS, MAX_COLORS))[0]
