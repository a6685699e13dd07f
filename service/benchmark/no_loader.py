"""Loader of a service that has no networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from models.errors import UnknownModel
from models.evaluation.compare import Setting
from models.quantizers.base import Quantizer
from service.benchmark.worker import Classifier


@dataclass(frozen=True)
class NoLoader:
    """Loads nothing: a benchmark needs a classifier. See `service.benchmark.worker.Loader`."""

    def pinned(self, sha256: Mapping[str, str]) -> Self:
        return self

    def quantizer(self, setting: Setting) -> Quantizer:
        raise UnknownModel("No network is loaded.")

    def classifier(self, name: str) -> Classifier:
        raise UnknownModel("No network is loaded.")
