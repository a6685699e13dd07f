"""Readiness probe for container engines: it needs no curl in the image and imports no torch."""

from __future__ import annotations

import http.client
from http import HTTPStatus

_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # a server listens there, a client connects here


def is_ready(host: str, port: int, timeout: float) -> bool:
    """Return whether GET /readyz on `host` and `port` returns 200; each network operation may take `timeout` seconds.

    Unlike urllib.request, the probe ignores the proxies of the environment.
    """
    connection = http.client.HTTPConnection(_EVERY_INTERFACE.get(host, host), port, timeout=timeout)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
