"""Response headers: security policies, timing, and text that is safe in a header."""

from urllib.parse import quote

from service.runtime.timing import STAGES, Timings

_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def server_timing(timings: Timings) -> str:
    """The value of Server-Timing, in milliseconds as the W3C draft wants it."""
    return ", ".join(f"{stage};dur={getattr(timings, stage) * 1000:.1f}" for stage in STAGES)


def header_text(text: str) -> str:
    """Text that is safe in a header: everything but printable ASCII is percent-encoded as UTF-8, and `%` itself."""
    return quote(text, safe=_PLAIN)


HEADER = "X-Request-ID"


# What browsers shall do with an answer, unless it says otherwise itself: take it for what it says it is, show it in no
# frame, load nothing for it, keep it nowhere, and tell nobody where it came from.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


# The page of FastAPI takes its script and style from this host, its icon from that, and starts with a line of script.
_DOCS_POLICY = (
    "default-src 'none'; connect-src 'self'; frame-ancestors 'none'; img-src data: https://fastapi.tiangolo.com; "
    "script-src 'unsafe-inline' https://cdn.jsdelivr.net; style-src 'unsafe-inline' https://cdn.jsdelivr.net"
)


_POLICIES = {"/docs": SECURITY_HEADERS | {"Content-Security-Policy": _DOCS_POLICY}}
