"""Response headers: request id, security policies, timing, and text that is safe in a header."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from service.runtime.timing import STAGES, Timings

REQUEST_ID_HEADER = "X-Request-ID"
MODELS_DIGEST_HEADER = "X-Models-Digest"

# Headers of every response that does not set them itself. A browser then trusts the declared media type, never frames
# or caches the response, loads nothing for it, and sends no referrer.
SECURITY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def server_timing(timings: Timings) -> str:
    """Return the value of Server-Timing, in milliseconds as the W3C draft defines it."""
    return ", ".join(f"{stage};dur={getattr(timings, stage) * 1000:.1f}" for stage in STAGES)


def header_text(text: str) -> str:
    """Return `text` with `%` and everything but printable ASCII percent-encoded as UTF-8, safe in a header."""
    return quote(text, safe=_PLAIN)
