"""Pages for people: the files of service/web, read once and served with their hashes as entity tags.

`/` is the page, `/docs` shows the OpenAPI document with Swagger UI, whose files come from the package fastapi-swagger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.icon import draw_icon
from service.http.etags import etag_of, matches

_FOLDER = Path(__file__).parents[1] / "web"
_PAGE = "index.html"
_DOCUMENTATION = "docs.html"
_ICON = "favicon.ico"
_SWAGGER_PACKAGE = "fastapi_swagger"  # only found, never imported: its files alone are of use
_SWAGGER_FILES = ("swagger-ui-bundle.js", "swagger-ui.css")

# Not from the module mimetypes, whose table depends on the machine.
_MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-cache",  # a browser may keep the file, and asks each time whether it is still the newest
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
}

web = APIRouter(include_in_schema=False)
"""The page and its files, without access checks: the page asks for a key where requests need one."""


@dataclass(frozen=True)
class WebFile:
    """A file of the page. tag: strong entity tag of its bytes."""

    data: bytes
    media_type: str
    tag: str


def web_file(name: str) -> WebFile | None:
    """Return the file of the page with that path below service/web; None where there is none."""
    return _files().get(name)


@cache
def _files() -> Mapping[str, WebFile]:
    """Return every file by its path. A path from outside is only looked up here, so it reaches no other folder."""
    return dict(_read())


def _read() -> Iterator[tuple[str, WebFile]]:
    for file in sorted(_FOLDER.rglob("*")):
        if file.suffix in _MEDIA_TYPES:
            yield file.relative_to(_FOLDER).as_posix(), _web_file(file.read_bytes(), _MEDIA_TYPES[file.suffix])
    for name in _SWAGGER_FILES:
        file = _swagger_folder() / name
        yield name, _web_file(file.read_bytes(), _MEDIA_TYPES[file.suffix])
    yield _ICON, _web_file(draw_icon(), "image/x-icon")


def _web_file(data: bytes, media_type: str) -> WebFile:
    return WebFile(data, media_type, etag_of(data))


def _swagger_folder() -> Path:
    found = find_spec(_SWAGGER_PACKAGE)
    [folder, *_] = (found and found.submodule_search_locations) or ("",)
    return Path(folder) / "resources"


@web.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """Return the page for people."""
    return _response(request, _PAGE)


@web.api_route("/docs", methods=["GET", "HEAD"])
async def documentation(request: Request) -> Response:
    """Return the OpenAPI document as an interactive page."""
    return _response(request, _DOCUMENTATION)


@web.api_route("/favicon.ico", methods=["GET", "HEAD"])
async def icon(request: Request) -> Response:
    """Return the icon of every page."""
    return _response(request, _ICON)


@web.api_route("/web/{name:path}", methods=["GET", "HEAD"])
async def part(request: Request, name: str) -> Response:
    """Return a script, a style or a picture of the page."""
    return _response(request, name)


def _response(request: Request, name: str) -> Response:
    found = web_file(name)
    if found is None:
        raise HTTPException(404)
    headers = {**HEADERS, "ETag": found.tag}
    if matches(request.headers.get("if-none-match", ""), found.tag):
        return Response(status_code=304, headers=headers)
    return Response(found.data, headers=headers, media_type=found.media_type)
