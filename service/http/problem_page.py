"""Errors as pages for browsers; every other client gets problem details."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from string import Template

from starlette.requests import Request

from service.errors import NotAcceptable
from service.http.negotiation import select_media_type
from service.schemas.media_types import HTML, JSON

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'",
    "Vary": "Accept, Sec-Fetch-Mode",
}
_OFFERS = ("application/problem+json", JSON, HTML)

# The style has its absolute path, since the path of an error may have any depth.
_PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title - ColorCNN service</title>
<link rel="stylesheet" href="$root/web/style.css">
<link rel="stylesheet" href="$root/web/problem.css">
</head>
<body>
<main class="card">
<p class="muted">$status</p>
<h1>$title</h1>
<p>$detail</p>
<nav><a class="button primary" href="$root/">Quantize a picture</a> <a class="button" href="$root/docs">API</a></nav>
<p class="muted">Request <code>$request_id</code></p>
</main>
</body>
</html>
"""
)


def wants_page(request: Request) -> bool:
    """Whether a browser shows the response to a person: it opens a page, and prefers HTML to JSON.

    A script that accepts HTML from POST /benchmark still gets its errors as problem details.
    """
    opens = request.method in ("GET", "HEAD") or request.headers.get("sec-fetch-mode") == "navigate"
    try:
        return opens and select_media_type(", ".join(request.headers.getlist("accept")), _OFFERS) == HTML
    except NotAcceptable:
        return False


def problem_page(request: Request, problem: Mapping[str, str | int], request_id: str) -> str:
    """Return the page of a problem. problem: the members of its problem details."""
    texts = {"title": problem["title"], "status": problem["status"], "detail": problem["detail"]}
    root = request.scope.get("root_path", "").rstrip("/")
    shown = {name: escape(str(text)) for name, text in {**texts, "root": root, "request_id": request_id}.items()}
    return _PAGE.substitute(shown)
