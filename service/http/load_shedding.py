"""Load shedding: a request that the service cannot take is refused before any other work is done for it.

Under ten times the load that it can serve, a service that spends its time on refusals does no useful work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import RetryLater
from service.http.problems import error_response


class LoadShedding:
    """ASGI middleware that refuses POST requests with a 503 early. The routes check again when they admit a request.

    checks: by path, what raises RetryLater while the service can take no request there.
    """

    def __init__(self, app: ASGIApp, checks: Mapping[str, Callable[[], None]]) -> None:
        self._app = app
        self._checks = checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._app
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._checks:
            try:
                self._checks[scope["path"]]()
            except RetryLater as error:
                scope["state"]["path"] = scope["path"]
                response = error_response(Request(scope), error)
        await response(scope, receive, send)
