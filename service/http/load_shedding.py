"""Saying no must cost next to nothing: what cannot be taken is refused before anything else is done for it.

Under ten times the load that it can bear, a service that spends its time on refusals does no work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import RetryLater
from service.http.problems import error_response


class LoadShedding:
    """ASGI middleware for the answers 503 that many get at once. The routes check again: others may have come between.

    checks: by the path to which they apply, for POST; they raise RetryLater.
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
