"""Measurements that ship with the service beside those of single checkpoints; `docs.generator` copies them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from models.zoo.manifest import ModelEntry

FOLDER = Path(__file__).parent / "data"
DATASETS = ("cifar10-refined", "tiny-imagenet-200-refined")
"""Reports about networks in further methods."""
PHOTOGRAPHS = "photographs"
"""The report about methods on photographs."""


def dataset_reports(entries: Iterable[ModelEntry]) -> Iterator[Mapping[str, Any]]:
    """Yield the reports whose classifier and network are among these models, with the same weights."""
    known = {entry.name: entry.sha256 for entry in entries}
    for name in DATASETS:
        report = _read(name)
        if report["sha256"].items() <= known.items():
            yield report


def photograph_reports(entries: Iterable[ModelEntry]) -> Iterator[Mapping[str, Any]]:
    """Yield the report about photographs if its classifier is among these models, with the same weights.

    Classifiers that took no part need not be there.
    """
    report = _read(PHOTOGRAPHS)
    known = {entry.name: entry.sha256 for entry in entries}
    if known.get(report["classifier"]) == report["sha256"][report["classifier"]]:
        yield report


def _read(name: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return report
