"""Requests of scripts whose page comes from another origin (CORS, the Fetch standard)."""

from __future__ import annotations

from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.problems import respond
from service.schemas.problems import FOREIGN_ORIGIN

_EVERY = "*"


class CrossOrigin:
    """ASGI middleware that lets scripts of some origins send requests and read every header of a response.

    The preflight of another origin gets a 403 that names the setting: a browser tells its script the bare fact of a
    failure, and shows this response to the developer of the page.

    origins: allowed origins; `*` allows all.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = origins
        if origins:
            self._app = CORSMiddleware(
                app,
                allow_origins=origins,
                allow_methods=["GET", "POST"],
                allow_headers=[_EVERY],
                expose_headers=[_EVERY],
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            request = Request(scope)
            origin = request.headers.get("origin")
            if origin and "access-control-request-method" in request.headers and not self._allows(origin):
                detail = (
                    f"A page of {origin!r:.200} may not use this service. Its operator allows the scripts of an origin "
                    "with the setting COLORCNN_CORS_ORIGINS."
                )
                app = respond(request, FOREIGN_ORIGIN, detail)
        await app(scope, receive, send)

    def _allows(self, origin: str) -> bool:
        return origin in self._origins or _EVERY in self._origins
