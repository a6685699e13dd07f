"""Changes to responses that pass Ray's servers, put around the application."""

from __future__ import annotations

import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.headers import REQUEST_ID_HEADER
from service.http.problems import problem_response
from service.schemas.problems import MALFORMED_REQUEST

_LOST_BODY = (
    "The header Upgrade offers another protocol, and the servers of this cluster lose the body of such a request. Send "
    "it without that header: in Java, HttpClient.Version.HTTP_1_1; with curl, --http1.1."
)


class BehindRay:
    """Drops the request id, which Ray adds itself, and closes connections where the next request would be at risk.

    Ray's server stops reading at a header `Upgrade`, and then takes the body of the request for another request. A
    request with both is refused, and nothing that follows on such a connection is answered.

    one_by_one: whether each connection serves one request. When a replica dies, HAProxy responds with an error to what
    came on a new connection to the replica. What came on a used one it drops without a response, for the client to send
    it again, which few clients do.
    """

    def __init__(self, application: ASGIApp, *, one_by_one: bool) -> None:
        self._application = application
        self._one_by_one = one_by_one

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers = Headers(scope=scope)
        upgrades = "upgrade" in headers
        application = _refuse if upgrades and _has_body(headers) else self._application

        async def send_changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                changed = MutableHeaders(scope=message)
                del changed[REQUEST_ID_HEADER]
                if self._one_by_one or upgrades:
                    changed["Connection"] = "close"
            await send(message)

        await application(scope, receive, send_changed)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    request_id = Headers(scope=scope).get(REQUEST_ID_HEADER) or uuid.uuid4().hex
    await problem_response(MALFORMED_REQUEST, _LOST_BODY, request_id)(scope, receive, send)
