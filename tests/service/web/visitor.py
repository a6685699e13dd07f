"""A person at the page: gives pictures, moves controls, and reads what the page shows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Response

PATIENCE = 90_000.0  # milliseconds, for a machine that does much else

# Before the page runs: record the fields of each request, and each violation of the policy.
_RECORDER = """
window.sent = [];
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`);
});
const original = window.fetch;
window.fetch = (resource, init = {}) => {
  const entries = init.body instanceof FormData ? [...init.body] : [];
  const fields = entries.map(([name, value]) => [name, value instanceof File ? value.name : value]);
  window.sent.push({ path: new URL(resource, location).pathname, fields, headers: init.headers ?? {} });
  return original(resource, init);
};
"""


def chromium() -> str | None:
    """Return the path of a Chromium of this machine that runs; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    paths = [os.environ.get("CHROMIUM"), *map(shutil.which, names)]
    return next((path for path in paths if path and _runs(path)), None)


def _runs(path: str) -> bool:
    """Whether it runs; Ubuntu's package is a script that asks for another kind of package."""
    done = subprocess.run([path, "--version", "--no-sandbox"], capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """Return a context for visitors; options replace those of most tests."""
    usual = {"viewport": {"width": 1280, "height": 800}, "permissions": ["clipboard-read", "clipboard-write"]}
    context = browser.new_context(**{**usual, **options})
    context.set_default_timeout(PATIENCE)
    context.add_init_script(_RECORDER)
    return context


class Visitor:
    """The page in a tab of its own, with its requests and errors."""

    def __init__(self, context: BrowserContext, url: str, fragment: str = "") -> None:
        self.url = url
        self.expected: list[str] = []
        self.errors: list[str] = []
        self.responses: list[Response] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))
        self.page.on("response", lambda response: self.responses.append(response))
        self.page.goto(f"{url}/{fragment}")

    def _note(self, kind: str, text: str) -> None:
        is_ours = "getImageData" not in text  # the tests read the canvas, the page does not
        if kind in ("error", "warning") and is_ours:
            self.errors.append(f"{kind}: {text}")

    def unexpected_errors(self) -> list[str]:
        """Return the errors of the console that contain none of the expected texts."""
        return [error for error in self.errors if not any(text in error for text in self.expected)]

    def close(self) -> None:
        violations = self.page.evaluate("window.violations")
        self.errors += [f"violation of the policy: {each}" for each in violations]
        self.page.close()

    def __getitem__(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def text(self, selector: str) -> str:
        """Return the text of an element, with single spaces."""
        return " ".join((self[selector].text_content() or "").split())

    def settle(self) -> None:
        """Wait until what was changed is drawn."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition that the page brings about soon."""
        deadline = time.monotonic() + PATIENCE / 1000
        while not condition():
            assert time.monotonic() < deadline
            self.page.wait_for_timeout(20)

    # Pictures

    def pick(self, *files: Path | Mapping[str, Any]) -> None:
        """Choose files in the dialog, and wait for the first result."""
        self.give(*files)
        self.wait_for_result()

    def give(self, *files: Path | Mapping[str, Any]) -> None:
        """Choose files in the dialog, which are paths or {name, mimeType, buffer}."""
        self["#file"].set_input_files([*files])  # type: ignore[arg-type]

    def wait_for_result(self) -> None:
        """Wait until a result is shown, and no newer one is on its way."""
        self["#download[href]"].wait_for()
        self["#working"].wait_for(state="hidden")

    def change(self, selector: str, value: str) -> dict[str, Any]:
        """Set a control, and return the fields of the request that follows."""
        count = len(self.quantized())
        with self.page.expect_response(lambda response: response.url.endswith("/quantize")):
            self[selector].fill(value)
        return self.fields(count)

    def fields(self, count: int) -> dict[str, Any]:
        """Return the options of the newest request to /quantize, of which there were `count` before."""
        requests = self.quantized()
        assert len(requests) > count
        return {name: value for name, value in requests[-1]["fields"] if name != "file"}

    # Requests

    def sent(self, path: str) -> list[dict[str, Any]]:
        """Return the requests to a path: their fields and headers."""
        requests = self.page.evaluate("window.sent")
        return [each for each in requests if each["path"] == path]

    def quantized(self) -> list[dict[str, Any]]:
        """Return the requests to /quantize."""
        return self.sent("/quantize")

    def report(self) -> dict[str, Any]:
        """Return the newest successful report of /quantize."""
        responses = [each for each in self.responses if each.url.endswith("/quantize") and each.ok]
        return dict(json.loads(responses[-1].body()))

    # The stage

    def pixels(self, canvas: str, share: tuple[float, float, float, float] = (0, 0, 1, 1)) -> set[tuple[int, ...]]:
        """Return the different colors, RGBA, of a part of a canvas. share: left, top, width and height, 0 to 1."""
        script = """([id, [left, top, width, height]]) => {
          const canvas = document.querySelector(id);
          const [w, h] = [canvas.width, canvas.height];
          const box = [left * w, top * h, width * w, height * h].map(Math.floor);
          const { data } = canvas.getContext("2d").getImageData(...box);
          const seen = new Set(new Uint32Array(data.buffer));
          const bytes = (each) => [each & 255, (each >> 8) & 255, (each >> 16) & 255, each >>> 24];
          return [...seen].slice(0, 5000).map(bytes);
        }"""
        found: Sequence[Sequence[int]] = self.page.evaluate(script, [canvas, list(share)])
        return {tuple(each) for each in found}

    def paper(self) -> tuple[float, float, float, float]:
        """Return left, top, width and height of the picture on the stage."""
        script = """({ style: { left, top, width, height } }) => [left, top, width, height].map(parseFloat)"""
        left, top, width, height = self["#paper"].evaluate(script)
        return left, top, width, height
