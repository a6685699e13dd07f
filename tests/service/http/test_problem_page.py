"""A browser that opens a page gets errors as a page, and every other client gets problem details."""

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from starlette.requests import Request

from service.http.problem_page import problem_page, wants_page
from tests.service.clients import problem, ready
from tests.service.fakes import FakeEngine
from tests.service.images import PHOTO

pytestmark = pytest.mark.anyio

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}


def request(method: str = "GET", root: str = "", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/", "headers": raw, "root_path": root})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing/at/all", 404), ("GET", "/quantize", 405), ("HEAD", "/nothing", 404)],
)
async def test_a_browser_gets_a_page_with_the_style_of_the_others(
    client: AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path, headers=BROWSER)

    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "'unsafe-inline'" not in response.headers["content-security-policy"]
    assert response.headers["vary"] == "Accept, Sec-Fetch-Mode"
    if method == "GET":
        assert path in response.text and response.headers["x-request-id"] in response.text
        assert 'href="/web/style.css"' in response.text
        assert (await client.get("/web/problem.css")).status_code == 200


async def test_a_405_page_keeps_the_allowed_methods(client: AsyncClient) -> None:
    assert (await client.get("/quantize", headers=BROWSER)).headers["allow"] == "POST"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html", "image/png", "nonsense"])
async def test_everyone_else_gets_problem_details(client: AsyncClient, accept: str) -> None:
    assert problem(await client.get("/nothing", headers={"Accept": accept})) == (404, "not-found")


async def test_a_script_that_asks_for_a_page_gets_its_errors_as_problem_details(client: AsyncClient) -> None:
    response = await client.post("/benchmark", content=b"no image", params={"colors": "1"}, headers=BROWSER)

    assert problem(response) == (422, "bad-option")


async def test_an_unexpected_error_is_a_page_too(app: FastAPI, engine: FakeEngine) -> None:
    engine.bug = ZeroDivisionError("secret")
    async with ready(app) as client:
        response = await client.post("/quantize", content=PHOTO, headers={**BROWSER, "Sec-Fetch-Mode": "navigate"})

    assert (response.status_code, response.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "secret" not in response.text and response.headers["x-request-id"] in response.text


def test_a_form_that_a_browser_opens_gets_a_page() -> None:
    assert wants_page(request("POST", accept="text/html", sec_fetch_mode="navigate"))
    assert not wants_page(request("POST", accept="text/html", sec_fetch_mode="cors"))
    assert not wants_page(request())


def test_text_of_a_request_is_escaped_and_links_keep_the_prefix_of_a_proxy() -> None:
    page = problem_page(request(root="/colors"), {"title": "T", "status": 404, "detail": "<script>"}, "<id>")

    assert "<script>" not in page and "&lt;script&gt;" in page and "&lt;id&gt;" in page
    assert 'href="/colors/web/style.css"' in page and 'href="/colors/docs"' in page
