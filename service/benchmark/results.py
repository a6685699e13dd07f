"""Stored results of the loaded models over whole test sets and photographs, validated once and rendered once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
from pydantic import ValidationError

from models.errors import CorruptCheckpoint
from service.benchmark import measured
from service.inference.engine import Engine
from service.schemas.benchmark_reports import ResultsReport

_MAX_ERRORS = 3  # in one message
_KEYS_OF_FILES = ("kind", "schema_version")  # keys of a stored report that the API does not have
_KEYS_OF_OTHER_KINDS = ("qp", "fidelity")  # keys of rows that are null in this kind of report


class StoredResults:
    """Results of an engine's models, as `training.evaluate` stored them. Empty until `load`."""

    def __init__(self, engine: Engine) -> None:
        self.report = ResultsReport(results=[], photographs=[])
        self._engine = engine
        self._page: str | None = None
        self._drawing = anyio.Lock()

    def load(self) -> None:
        """Validate the results of the loaded engine. Raises CorruptCheckpoint for results with another shape."""
        entries = self._engine.catalog.entries
        results = [*self._engine.results(), *measured.dataset_reports(entries)]
        photographs = list(measured.photograph_reports(entries))
        try:
            self.report = ResultsReport.model_validate(
                {"results": [_public(report) for report in results], "photographs": photographs}
            )
        except ValidationError as error:
            errors = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:_MAX_ERRORS]]
            names = ", ".join(str(report.get("quantizer") or report.get("dataset")) for report in results)
            raise CorruptCheckpoint(f"the stored results of {names} are damaged ({'; '.join(errors)})") from None

    async def page(self) -> str:
        """Return the results as an HTML page, rendered once, in a thread: benchmarks occupy the worker process."""
        async with self._drawing:
            if self._page is None:
                self._page = await anyio.to_thread.run_sync(self._write_page)
            return self._page

    def _write_page(self) -> str:
        from service.benchmark import results_page  # imported here, because the service starts faster without plots

        return results_page.results_page(self.report)


def _public(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the stored report with the keys that GET /benchmark has."""
    public = {name: value for name, value in report.items() if name not in _KEYS_OF_FILES}
    if isinstance(rows := public.get("rows"), list):
        public["rows"] = [_without_nulls(row) if isinstance(row, dict) else row for row in rows]
    return public


def _without_nulls(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in row.items() if value is not None or name not in _KEYS_OF_OTHER_KINDS}
