"""What was measured over whole test sets with the models that are loaded: checked once, and drawn once."""

from __future__ import annotations

import anyio
from pydantic import ValidationError

from models.errors import CorruptCheckpoint
from service.inference.engine import Engine
from service.schemas.reports import ResultsReport

_MOST_ERRORS = 3  # that the log tells of one file


class StoredResults:
    """The results of an engine, as `training.evaluate` stored them. Empty until `load`."""

    def __init__(self, engine: Engine) -> None:
        self.report = ResultsReport(results=[])
        self._engine = engine
        self._page: str | None = None
        self._drawing = anyio.Lock()

    def load(self) -> None:
        """Take them from the engine, which is loaded. Raises CorruptCheckpoint where they have another shape."""
        results = self._engine.results()
        try:
            self.report = ResultsReport.model_validate({"results": results})
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:_MOST_ERRORS]]
            names = ", ".join(str(report.get("quantizer") or report.get("dataset")) for report in results)
            raise CorruptCheckpoint(f"the stored results of {names} are damaged ({'; '.join(wrong)})") from None

    async def page(self) -> str:
        """Them as an HTML page. It is written at its first use, in a thread: benchmarks keep their worker process."""
        async with self._drawing:
            if self._page is None:
                self._page = await anyio.to_thread.run_sync(self._write_page)
            return self._page

    def _write_page(self) -> str:
        from service.benchmark import page  # here, so that the service starts without what draws plots

        return page.results_page(self.report)
