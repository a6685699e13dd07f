"""Load shedding: early rejection of a request that the service cannot accept, before any other work for the request.

Under ten times its capacity, a service without load shedding spends its time on late rejections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import RetryLater
from service.http.problems import error_response


class LoadShedding:
    """ASGI middleware that rejects POST requests early with a 503. The routes check again when they admit a request.

    checks: by path, a function that raises RetryLater while the service accepts no request at the path.
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
