"""Copies of measurements that ship with the service, for GET /benchmark."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from docs.generator.reports import ROOT
from service.benchmark.measured import DATASETS, FOLDER, PHOTOGRAPHS
from service.schemas.benchmark_reports import PhotographsReport, PhotographsRow

_DATA = ROOT / "docs" / "results" / "data"


def copies() -> Iterator[tuple[Path, str]]:
    """Yield each file with the text that it should have."""
    for name in DATASETS:
        yield FOLDER / f"{name}.json", (_DATA / f"{name}.json").read_text(encoding="utf-8")
    whole = json.loads((_DATA / f"{PHOTOGRAPHS}.json").read_text(encoding="utf-8"))
    rows = [row for row in whole["rows"] if row["model"] is None]  # others were optimized for that classifier alone
    shipped = _chosen(PhotographsReport, whole) | {"rows": [_chosen(PhotographsRow, row) for row in rows]}
    yield FOLDER / f"{PHOTOGRAPHS}.json", json.dumps(shipped) + "\n"


def _chosen(kind: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in kind.model_fields}
