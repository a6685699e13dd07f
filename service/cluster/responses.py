"""Changes to responses that pass Ray's servers, put around the application."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.headers import REQUEST_ID_HEADER


class BehindRay:
    """Drops the request id, which Ray adds itself, and closes connections where the next request would be at risk.

    Ray's server stops reading at a header `Upgrade`, and then takes the body of the request for another request.
    Nothing that follows on such a connection must be answered.

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
        closes = self._one_by_one or "upgrade" in Headers(scope=scope)

        async def send_changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                del headers[REQUEST_ID_HEADER]
                if closes:
                    headers["Connection"] = "close"
            await send(message)

        await self._application(scope, receive, send_changed)
