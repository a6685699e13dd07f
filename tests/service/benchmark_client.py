"""Requests to /benchmark, and a parser of its pages."""

from html.parser import HTMLParser
from typing import Any

from httpx import AsyncClient, Response

from tests.service.images import encoded, ramp

MEDIA_TYPES = ("application/json", "image/png", "text/html", "application/x-ndjson")
LIGHT = encoded(255 - ramp() // 4)
SMALL = {"colors": "2,4", "methods": "colorcnn,octree"}
BENCHMARK = "/benchmark?colors=2,4&methods=octree"


def form(*images: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    """Return the images as files a.png, b.png, ..."""
    return [("file", (f"{chr(ord('a') + position)}.png", image)) for position, image in enumerate(images)]


async def post(client: AsyncClient, *images: bytes, accept: str = "application/json", **options: Any) -> Response:
    return await client.post("/benchmark", files=form(*images), data=options, headers={"Accept": accept})


async def report(client: AsyncClient, *images: bytes, **options: Any) -> dict[str, Any]:
    response = await post(client, *images, **options)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


class Page(HTMLParser):
    """Tags, table cells and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.cells += [""] if tag == "td" else []
        loads = ("src", "href", "xlink:href", "data", "action")
        self.addresses += [value or "" for name, value in attrs if name in loads]

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data.strip()
