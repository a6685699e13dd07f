"""Load shedding: early rejection of a request that the service cannot accept, before any other work for the request.

Under ten times its capacity, a service without load shedding spends its time on late rejections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import RetryLater
from service.http.problems import error_response


class LoadShedding:
    """ASGI middleware that rejects POST requests early with a 503. The routes check again when they admit a request.

    checks: by the template of a path, a function that raises RetryLater while the service accepts no request there.
    """

    def __init__(self, app: ASGIApp, checks: Mapping[str, Callable[[], None]]) -> None:
        self._app = app
        self._checks = {path: check for path, check in checks.items() if "{" not in path}
        self._of_templates = [(compile_path(path)[0], path, checks[path]) for path in checks if "{" in path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._app
        if scope["type"] == "http" and scope["method"] == "POST":
            path, check = self._check_of(scope["path"])
            try:
                check()
            except RetryLater as error:
                scope["state"]["path"] = path
                response = error_response(Request(scope), error)
        await response(scope, receive, send)

    def _check_of(self, path: str) -> tuple[str, Callable[[], None]]:
        if path in self._checks:
            return path, self._checks[path]
        for pattern, template, check in self._of_templates:
            if pattern.match(path):
                return template, check
        return path, _accept


def _accept() -> None:
    """Accept the request."""
