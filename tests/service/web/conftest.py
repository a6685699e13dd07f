"""A browser, the service on a free port, and the page in it. Skips where playwright or Chromium is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.service.processes import Server, serving
from tests.service.web.visitor import Visitor, chromium, new_context

MAX_UPLOAD_BYTES = 1_000_000
MAX_PIXELS = 1_500_000
KEY = "a-key-of-sixteen-letters"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of this machine.

    For one module: while playwright is at work, its event loop runs in this thread, and no test can run another one.
    """
    executable = chromium()
    if executable is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        # A container has no user namespaces for the sandbox, and little shared memory.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--process-per-site"]
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of traps for benchmarks of `site`, see FakeLoader."""
    return tmp_path_factory.mktemp("traps")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, traps: Path) -> Iterator[Server]:
    """The service around the fake engine, which decides by brightness."""
    log = tmp_path_factory.mktemp("site") / "log"
    limits = {"max_upload_bytes": str(MAX_UPLOAD_BYTES), "max_pixels": str(MAX_PIXELS)}
    with serving("tests.service.fake_server", log, {"TRAPS": str(traps)}, **limits) as server:
        server.wait_until_ready()
        yield server


@pytest.fixture(scope="module")
def usual(browser: Browser) -> BrowserContext:
    """The context of every visitor without options; a tab costs a fraction of a context."""
    return new_context(browser)


@pytest.fixture
def visit(browser: Browser, usual: BrowserContext, site: Server) -> Iterator[Callable[..., Visitor]]:
    """Open the page in a tab, or with options in a context of its own. At the end no error is left unexpected."""
    visitors: list[Visitor] = []
    contexts: list[BrowserContext] = []

    def open_page(fragment: str = "", server: Server = site, **options: Any) -> Visitor:
        if options:
            contexts.append(new_context(browser, **options))
        visitors.append(Visitor(contexts[-1] if options else usual, server.url, fragment))
        return visitors[-1]

    yield open_page
    for visitor in visitors:
        visitor.close()
    for context in contexts:
        context.close()
    for visitor in visitors:
        assert visitor.unexpected_errors() == []
