"""Format of a response: by the option `format` or, without it, by the header Accept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from fastapi import Request

from models.errors import BadOption
from service.http.negotiation import select_media_type
from service.schemas.media_types import (
    BPG,
    HTML,
    JSON,
    MEDIA_TYPES,
    MIXED,
    NDJSON,
    PACKED,
    PNG,
    RAW,
    WEBP,
    ZIP,
    FileFormat,
)

QUANTIZE_ONE = (PNG, JSON, WEBP, RAW, PACKED, ZIP, MIXED)
QUANTIZE_SEVERAL = (ZIP, MIXED, JSON)
CLASSIFY = (JSON, PNG)
COMPRESS = (JSON, BPG, PNG)
BENCHMARK = (JSON, PNG, HTML, NDJSON)
RESULTS = (JSON, HTML)

_FORMAT = "format"


def negotiate(*offers: str) -> Callable[[Request], Awaitable[str]]:
    """Return a dependency that selects a media type by Accept, before the body is read.

    A query with `format` needs no Accept; `media_type_of` then decides when the options have been read.
    """

    async def media_type(request: Request) -> str:
        return offers[0] if _FORMAT in request.query_params else select_media_type(accept_of(request), offers)

    return media_type


def accept_of(request: Request) -> str | None:
    """Return the header Accept, all its lines joined by commas; None without one."""
    lines = request.headers.getlist("accept")
    return ", ".join(lines) if lines else None


def media_type_of(format: str | None, negotiated: str) -> str:
    """Return the media type of the option `format`; without the option, the negotiated one."""
    return negotiated if format is None else MEDIA_TYPES[format]


def quantize_media_type(request: Request, format: str | None, negotiated: str, images: int) -> str:
    """Return the media type of a response of /quantize to so many images.

    Raises:
        BadOption: `format` names a format of a single file, but there are several images.
        NotAcceptable: Accept rules out every format of several files.
    """
    media_type = media_type_of(format, negotiated)
    if images == 1 or media_type in QUANTIZE_SEVERAL:
        return media_type
    if format is not None:
        raise BadOption(f"format={format} holds one image, but the form holds {images}; ask for {_names()}.")
    return select_media_type(accept_of(request), QUANTIZE_SEVERAL)


def file_format(media_type: str) -> FileFormat:
    """Return the format of the quantized image in a response of this media type."""
    formats: dict[str, FileFormat] = {WEBP: "webp", RAW: "raw", PACKED: "packed"}
    return formats.get(media_type, "png")


def _names(offers: Sequence[str] = QUANTIZE_SEVERAL) -> str:
    *first, last = (f"format={name}" for offer in offers for name, kind in MEDIA_TYPES.items() if kind == offer)
    return f"{', '.join(first)} or {last}"
