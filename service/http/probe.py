"""The probe of a container engine: is the service on this machine ready? Needs no curl and does not wait for torch."""

from __future__ import annotations

import http.client
from http import HTTPStatus

_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # a server listens there, a client connects here


def is_ready(host: str, port: int, timeout: float) -> bool:
    """Whether GET /readyz answers 200 where a service with these settings listens, within `timeout` seconds a step.

    No proxy of the environment comes between, unlike with urllib.request.
    """
    connection = http.client.HTTPConnection(_EVERY_INTERFACE.get(host, host), port, timeout=timeout)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
