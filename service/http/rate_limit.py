"""Token buckets in memory: how often each client may ask."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 10_000  # remembered; the one that has been silent longest is forgotten first


class RateLimiter:
    """Each client has a bucket of `burst` requests that fills up again by `per_minute` a minute.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> (requests left, at this time)

    def take(self, client: str) -> float:
        """Count a request: 0.0 when it is within the limit, else the seconds until one would be. O(1)."""
        now = self._clock()
        left, since = self._buckets.get(client, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._per_second)
        wait = max(0.0, (1 - left) / self._per_second)
        self._buckets[client] = (left if wait else left - 1, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return wait
