"""Arguments that both clients share, and what is made from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.client.calls import Attempts

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT = 180.0  # seconds, more than a request may take with the default settings of the service


class Configuration:
    """Arguments that both clients share.

    Args:
        base_url: address of the service, with http:// or https://.
        api_key: sent as a bearer token; None sends none.
        timeout: seconds that a call may take, with the attempts after 429, 503 and refused connections.
        clock: returns seconds that never go back; for tests.

    Raises ValueError for an address without http:// or https://.
    """

    def __init__(self, base_url: str, api_key: str | None, timeout: float, clock: Callable[[], float]) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"the address of the service begins with http:// or https://, unlike {base_url!r:.200}")
        self._timeout = timeout
        self._clock = clock
        self._arguments: dict[str, Any] = {
            "base_url": base_url,
            "headers": {"User-Agent": "colorcnn-client"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {}),
        }

    def _attempts(self) -> Attempts:
        return Attempts(self._timeout, self._clock)
