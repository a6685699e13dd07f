"""Rate limit of each client: token buckets in memory, and the dependency that checks them."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from fastapi import Request

from service.errors import RateLimited

MOST_CLIENTS = 10_000  # buckets in memory; the bucket of the least recent client is dropped first


class RateLimiter:
    """Token buckets: each client has `burst` requests, which refill at `per_minute` requests a minute.

    per_minute: requests a minute, positive. burst: requests at once, 1 or more. clock: returns monotonic seconds.
    """

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> (requests left, time of count)

    def take(self, client: str) -> float:
        """Count a request; return 0.0 within the limit, else the seconds until the next request is allowed. O(1)."""
        now = self._clock()
        left, since = self._buckets.get(client, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._per_second)
        wait = max(0.0, (1 - left) / self._per_second)
        self._buckets[client] = (left if wait else left - 1, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return wait


class RateLimit:
    """Dependency that limits the requests of each client: of an API key where keys are set, else of an address.

    Behind a trusted proxy, uvicorn has already replaced the peer's address by the address in X-Forwarded-For.
    """

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    async def __call__(self, request: Request) -> None:
        """Count the request of a client. Raises RateLimited beyond the limit."""
        client = getattr(request.state, "client", None) or address_group(request.client.host if request.client else "")
        wait = self._limiter.take(client)
        if wait:
            raise RateLimited("The client sends too many requests.", retry_after=math.ceil(wait))


def address_group(host: str) -> str:
    """Return the group that counts as one client: an IPv4 address, or the /64 network of an IPv6 address."""
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if isinstance(address, ipaddress.IPv6Address) and not address.ipv4_mapped:
            return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return host
