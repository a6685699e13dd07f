"""Registration of handlers that respond to GET."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[BaseModel | Response]])


def get_and_head(on: APIRouter, path: str, tag: str, **described: Any) -> Callable[[Handler], Handler]:
    """Route GET and HEAD of `path` to a handler: HEAD must work wherever GET does (RFC 9110, section 9.1)."""

    def register(handler: Handler) -> Handler:
        # FastAPI gives all methods of a route one operation id, which must be unique. So the first route handles both,
        # outside the schema. The second route only describes GET, because the first matching route handles a request.
        on.add_api_route(path, handler, methods=["GET", "HEAD"], include_in_schema=False)
        on.add_api_route(path, handler, methods=["GET"], tags=[tag], **described)
        return handler

    return register
