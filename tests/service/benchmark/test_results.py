"""GET /benchmark: the stored results of the loaded models."""

import re
import threading
from dataclasses import replace
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from starlette.types import Message

from models.evaluation.report_kinds import Kind, head
from models.zoo.registry import Registry
from service.benchmark import results_page
from service.benchmark.results import StoredResults
from service.schemas.benchmark_reports import ResultsReport
from tests.service.benchmark_client import BENCHMARK, Page
from tests.service.clients import exchange
from tests.service.fakes import FakeEngine, Gate, hash_of
from tests.service.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio


def summary(method: str, colors: int | None, quality: int | None, **values: float | None) -> dict[str, Any]:
    return {
        "method": method,
        "model": "gray-steps" if method == "colorcnn" else None,
        "colors": colors,
        "quality": quality,
        "images": 10000,
        "kept": 0.75,
        "top1": 0.7125,
        "bytes": 150.5,
        "bits_per_pixel": 1.176,
        "payload_bits_per_pixel": 0.637,
        "psnr": 21.25,
        "ssim": 0.8,
        "colors_used": 2.0,
        "milliseconds": 1.5,
    } | values


MEASURED: dict[str, Any] = {
    "dataset": "<b>toys</b>",
    "split": "test",
    "images": 10000,
    "classifier": "brightness",
    "quantizer": "gray-steps",
    "sha256": {name: hash_of(name) for name in ("brightness", "gray-steps")},
    "top1_original": 0.9045,
    "seeds": {"brightness": 7, "gray-steps": 8},
    "command": "python -m training.evaluate --out results/toys.json",
    "commit": "c0ffee",
    "hardware": "2 CPU cores",
    "torch": "2.13.0+cpu",
    "rows": [
        summary("colorcnn", 2, None),
        summary("colorcnn", 4, None, top1=0.8, psnr=23.0),
        summary("jpeg", None, 5),
        summary("png", None, None, psnr=None),
    ],
}


STORED = head(Kind.EVALUATION) | MEASURED | {"rows": [row | {"qp": None, "fidelity": None} for row in MEASURED["rows"]]}
"""The same as a checkpoint holds it; clients do not see the keys that only files have."""


@pytest.fixture
def measured(engine: FakeEngine) -> None:
    """Store results before `client` starts its application."""
    engine.measured = (STORED,)


def test_the_shipped_reports_are_served_without_the_keys_that_only_files_have() -> None:
    registry = Registry.open()
    reports = [report for entry in registry.available() if (report := registry.results(entry.name)) is not None]
    engine = FakeEngine()
    engine.measured = tuple(reports)
    results = StoredResults(engine)

    results.load()

    served = results.report.model_dump()["results"]
    assert served and [len(report["rows"]) for report in served] == [len(report["rows"]) for report in reports]
    assert all({"kind", "schema_version"}.isdisjoint(report) for report in served)
    assert all({"qp", "fidelity"}.isdisjoint(row) for report in served for row in report["rows"])


def test_the_shipped_page_has_a_section_for_each_network_and_shows_the_refined_methods() -> None:
    engine = FakeEngine()
    registry = Registry.open()
    entries = registry.available()
    engine.catalog = replace(engine.catalog, entries=(*engine.catalog.entries, *entries))
    engine.measured = tuple(report for each in entries if (report := registry.results(each.name)) is not None)
    results = StoredResults(engine)

    results.load()
    page = Page(results_page.results_page(results.report))

    headings = re.findall("<h2>([^<]+)</h2>", page.text)
    assert headings[0] == "Photographs" and len(set(headings)) == len(headings) == 1 + len(engine.measured)
    assert {"refined", "refined, few steps", "ColorCNN, refined"} <= set(page.cells)
    assert results.report.photographs[0].classifier == "imagenet-efficientnet-lite0"


async def test_without_stored_results_the_report_is_empty(client: AsyncClient) -> None:
    page = await client.get("/benchmark", headers={"Accept": "text/html"})

    assert (await client.get("/benchmark")).json() == {"results": [], "photographs": []}
    assert "Nothing was measured" in page.text


@pytest.mark.usefixtures("measured")
async def test_stored_results_are_served_as_json(client: AsyncClient) -> None:
    assert (await client.get("/benchmark")).json() == {"results": [MEASURED], "photographs": []}


@pytest.mark.usefixtures("measured")
async def test_stored_results_are_served_as_a_page(client: AsyncClient) -> None:
    response = await client.get("/benchmark", headers={"Accept": "text/html"})

    page = Page(response.text)
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert all(address.startswith("#") for address in page.addresses)
    assert (page.tags.count("svg"), page.tags.count("b")) == (4, 0)
    assert "--accent" in response.text  # the style of the other pages, in the file itself
    assert {"71.2", "-19.2", "-10.4", "quality 5", "exact"} < {*page.cells}
    facts = (
        "Protocol A",
        "10,000",
        MEASURED["command"],
        "c0ffee",
        "2 CPU cores",
        "2.13.0+cpu",
        "brightness 7, gray-steps 8",
    )
    assert all(str(fact) in response.text for fact in facts)
    assert f"gray-steps {hash_of('gray-steps')[:12]}<" in response.text  # twelve digits of its hash


@pytest.mark.usefixtures("measured")
async def test_the_page_of_stored_results_is_drawn_once_and_does_not_wait_for_a_benchmark(
    app: FastAPI, client: AsyncClient, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, go_on, responses = list[ResultsReport](), threading.Event(), list[Response]()

    def draw(report: ResultsReport) -> str:
        drawn.append(report)
        go_on.wait(PATIENCE)
        return "the page"

    async def get() -> None:
        responses.append(await client.get("/benchmark", headers={"Accept": "text/html"}))

    monkeypatch.setattr(results_page, "results_page", draw)
    leave, sent = anyio.Event(), list[Message]()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: exchange(app, BENCHMARK, "application/json", leave=leave, sent=sent))
        await gate.waiting.wait()
        async with anyio.create_task_group() as requests:
            requests.start_soon(get)
            requests.start_soon(get)
            await until(lambda: app.state.service.results._drawing.statistics().tasks_waiting == 1)
            go_on.set()
        leave.set()

    assert ([response.text for response in responses], len(drawn)) == (["the page"] * 2, 1)
