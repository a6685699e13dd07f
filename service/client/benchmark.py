"""Rows of /benchmark as they arrive, to be iterated with `for` or `async for`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator

from pydantic import ValidationError

from service.client.errors import UnexpectedResponse
from service.schemas.benchmark_reports import (
    BenchmarkFailedImage,
    BenchmarkFailedRow,
    BenchmarkImage,
    BenchmarkLine,
    BenchmarkRow,
    BenchmarkSummary,
)

Row = BenchmarkRow | BenchmarkFailedRow
Image = BenchmarkImage | BenchmarkFailedImage


class BenchmarkState:
    """What has arrived of a benchmark beside its rows.

    done, total: numbers of measured rows and of all rows; 0 before the first line.
    images: a report on each image, in the order of the images.
    summary: means over the rows of each method and number of colors; empty until the last line.
    """

    def __init__(self) -> None:
        self.done = 0
        self.total = 0
        self.images: list[Image] = []
        self.summary: list[BenchmarkSummary] = []

    def take(self, text: str) -> Row | None:
        """Read one line, and return its row if it has one."""
        try:
            line = BenchmarkLine.model_validate_json(text, extra="ignore")
        except ValidationError as error:
            raise UnexpectedResponse(f"This client cannot read the line {text!r:.200}: {error}") from error
        if line.progress:
            self.done, self.total = line.progress.done, line.progress.total
        if line.image:
            self.images.append(line.image)
        if line.summary is not None:
            self.summary = line.summary
        return line.row


class Benchmark(BenchmarkState, Iterator[Row]):
    """A benchmark whose rows are iterated once, as they are measured; `close` ends it early."""

    def __init__(self, lines: Generator[str]) -> None:
        super().__init__()
        self._lines = lines

    def __next__(self) -> Row:
        for line in self._lines:
            if row := self.take(line):
                return row
        raise StopIteration

    def close(self) -> None:
        """Close the connection, which ends the work of the service."""
        self._lines.close()


class AsyncBenchmark(BenchmarkState, AsyncIterator[Row]):
    """A benchmark whose rows are iterated once, as they are measured; `aclose` ends it early."""

    def __init__(self, lines: AsyncGenerator[str]) -> None:
        super().__init__()
        self._lines = lines

    async def __anext__(self) -> Row:
        async for line in self._lines:
            if row := self.take(line):
                return row
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the connection, which ends the work of the service."""
        await self._lines.aclose()
