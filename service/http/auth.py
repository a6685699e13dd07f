"""Who may use the service, and how often: API keys and a rate limit, each only where it is set.

They stand before everything but the probes and the description of the interface (/docs, /openapi.json): a request that
is refused is not read. Only the refusals for want of room or readiness come before them, see service/http/load_shedding.py.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from service.errors import RateLimited, Unauthorized
from service.http.rate_limit import RateLimiter
from service.settings import Settings

_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False, scheme_name="bearer"))]
_KeyHeader = Annotated[str | None, Depends(APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="apiKey"))]


class ApiKeyAuth:
    """Lets requests pass that carry one of the keys, as `Authorization: Bearer KEY` or as `X-API-Key: KEY`."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    async def __call__(self, request: Request, bearer: _Bearer, header: _KeyHeader) -> None:
        """Raises Unauthorized. The client is from now on known by its key."""
        given = bearer.credentials if bearer else header
        if not given:
            raise Unauthorized("Send an API key, as `Authorization: Bearer KEY` or as `X-API-Key: KEY`.")
        digest = _digest(given)
        # Digests are of one length, and all are compared, so that the time tells nothing of any key.
        if not sum([hmac.compare_digest(digest, known) for known in self._digests]):
            raise Unauthorized("The API key is not one of those that are accepted.", error="invalid_token")
        request.state.client = digest.hex()


class RateLimit:
    """Lets as many requests of one client pass as are allowed: of a key where keys are set, else of an address.

    Behind a proxy that is trusted by the settings, uvicorn has put the address of X-Forwarded-For in its place.
    """

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    async def __call__(self, request: Request) -> None:
        """Raises RateLimited."""
        client = getattr(request.state, "client", None) or address_group(request.client.host if request.client else "")
        wait = self._limiter.take(client)
        if wait:
            raise RateLimited("The client sends too many requests.", retry_after=math.ceil(wait))


def auth_dependencies(settings: Settings) -> dict[int, Callable[..., Any]]:
    """The dependencies that the settings ask for, by the status that they answer with, in the order to check them."""
    found: dict[int, Callable[..., Any]] = {}
    if settings.accepted_keys:
        found[401] = ApiKeyAuth(settings.accepted_keys)
    if settings.rate_limit:
        found[429] = RateLimit(RateLimiter(settings.rate_limit, settings.rate_burst))
    return found


def address_group(host: str) -> str:
    """What counts as one client: an IPv4 address, or the 64 bits of network of an IPv6 one, which one client owns."""
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if isinstance(address, ipaddress.IPv6Address) and not address.ipv4_mapped:
            return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return host


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
