"""Readiness probe for container engines, without curl in the image and without importing torch."""

from __future__ import annotations

import http.client
from http import HTTPStatus

_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # listening address -> address to connect to


def is_ready(host: str, port: int, timeout: float) -> bool:
    """Return whether GET /readyz on `host` and `port` returns 200; each network operation may take `timeout` seconds.

    Unlike urllib.request, the probe ignores proxies in the environment.
    """
    connection = http.client.HTTPConnection(_EVERY_INTERFACE.get(host, host), port, timeout=timeout)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
