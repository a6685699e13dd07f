"""Access checks of the API: keys and the rate limit, where the settings enable them.

The checks run before a request body is read. The probes and the description of the interface (/docs, /openapi.json)
stay open. Only load shedding runs earlier, see service/http/load_shedding.py.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from service.errors import Unauthorized
from service.http.rate_limit import RateLimit, RateLimiter
from service.settings import Settings

_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False, scheme_name="bearer"))]
_KeyHeader = Annotated[str | None, Depends(APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="apiKey"))]


class ApiKeyAuth:
    """Dependency that accepts a request with one of the keys, as `Authorization: Bearer KEY` or as `X-API-Key: KEY`."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    async def __call__(self, request: Request, bearer: _Bearer, header: _KeyHeader) -> None:
        """Identify the client by its key, for the rate limit. Raises Unauthorized without an accepted key."""
        key = bearer.credentials if bearer else header
        if not key:
            raise Unauthorized("Send an API key, as `Authorization: Bearer KEY` or as `X-API-Key: KEY`.")
        digest = _digest(key)
        # Digests have equal lengths, and every key is compared, so the time of a refusal reveals nothing about any key.
        if not sum([hmac.compare_digest(digest, known) for known in self._digests]):
            raise Unauthorized("This API key is not accepted.", error="invalid_token")
        request.state.client = digest.hex()


def access_dependencies(settings: Settings) -> dict[int, Callable[..., Any]]:
    """Return the checks that the settings enable, in order, by the HTTP status of a refusal."""
    checks: dict[int, Callable[..., Any]] = {}
    if settings.accepted_keys:
        checks[401] = ApiKeyAuth(settings.accepted_keys)
    if settings.rate_limit:
        checks[429] = RateLimit(RateLimiter(settings.rate_limit, settings.rate_burst))
    return checks


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
