"""Take the screenshots of docs/page.md: `python -m tests.service.web.screenshots --out docs/figures`.

They show the sample picture of a cat in the shipped networks' hands, at two widths.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.service.processes import serving
from tests.service.web.visitor import Visitor, chromium, new_context

CAT = Path(__file__).parents[2] / "photos" / "cat.jpg"
QUALITY = 82  # of WebP


@dataclass(frozen=True)
class Shot:
    """One screenshot. width, height: of the window in pixels. scheme: light or dark. options: fragment of the page."""

    name: str
    width: int
    height: int
    scheme: str
    options: str


SHOTS = (
    Shot("page-1600", 1600, 1000, "light", "#colors=2"),
    Shot("page-360", 360, 780, "dark", "#colors=4"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write each shot as a WebP."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the screenshots")
    out: Path = parser.parse_args(arguments).out
    executable = chromium()
    if executable is None:
        parser.error("there is no Chromium; install one, or name it in the variable CHROMIUM")
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("service", Path(folder) / "log") as server,
        sync_playwright() as playwright,
    ):
        server.wait_until_ready()
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for shot in SHOTS:
            (out / f"{shot.name}.webp").write_bytes(taken(shot, browser, server.url))
        browser.close()


def taken(shot: Shot, browser: Browser, url: str) -> bytes:
    """Return a shot as a WebP."""
    viewport = {"width": shot.width, "height": shot.height}
    context = new_context(browser, viewport=viewport, color_scheme=shot.scheme)
    visitor = Visitor(context, url, shot.options)
    visitor.pick(CAT)
    visitor.settle()
    png = visitor.page.screenshot()
    context.close()
    written = io.BytesIO()
    Image.open(io.BytesIO(png)).save(written, "WEBP", quality=QUALITY, method=6)
    return written.getvalue()


if __name__ == "__main__":
    main()
