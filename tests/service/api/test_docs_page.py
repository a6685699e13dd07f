"""/docs in a browser: it loads nothing from elsewhere, its policy forbids none of its parts, and its forms work."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.service.processes import ROOT, Server, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUANTIZE = "#operations-images-quantize"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("tests.service.fake_server", tmp_path_factory.mktemp("docs") / "log") as server:
        server.wait_until_ready()
        yield server


@pytest.fixture
def complaints() -> list[str]:
    return []


def foreign(address: str, own: str) -> list[str]:
    return [] if address.startswith((f"{own}/", "blob:", "data:")) else [address]


@pytest.fixture
def page(server: Server, complaints: list[str]) -> "Iterator[Page]":
    """The page with the form of /quantize open. `complaints` receives what the browser logs, and foreign addresses."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda sent: complaints.extend(foreign(sent.url, server.url)))
        page.goto(f"{server.url}/docs")
        page.click(f"{QUANTIZE} .opblock-summary")
        page.click(f"{QUANTIZE} .try-out__btn")
        page.set_input_files(f"{QUANTIZE} input[type=file]", ROOT / "tests" / "photos" / "cat-32.png")
        yield page
        browser.close()


def test_an_untouched_form_sends_the_photograph_alone(page: "Page", complaints: list[str]) -> None:
    page.click(f"{QUANTIZE} .execute")

    picture = page.locator(f"{QUANTIZE} .live-responses-table img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 32
    assert page.inner_text(f"{QUANTIZE} .curl-command").count("-F ") == 1
    assert complaints == []


def test_a_filled_field_is_sent(page: "Page", complaints: list[str]) -> None:
    page.fill(f"{QUANTIZE} tr[data-property-name=colors] input", "2")
    page.click(f"{QUANTIZE} .execute")

    page.locator(f"{QUANTIZE} .live-responses-table").wait_for()
    assert "x-colors: 2" in page.inner_text(f"{QUANTIZE} .live-responses-table")
    assert complaints == []
