"""Media types of responses, and the names of formats that the option `format` has for them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

PNG = "image/png"
WEBP = "image/webp"
BPG = "image/bpg"
RAW = "application/octet-stream"
PACKED = "image/vnd.colorcnn.packed"
JSON = "application/json"
HTML = "text/html"
NDJSON = "application/x-ndjson"
ZIP = "application/zip"
MIXED = "multipart/mixed"

FileFormat = Literal["png", "webp", "raw", "packed"]
"""Format of the file of a quantized image."""

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "png": PNG,
        "webp": WEBP,
        "bpg": BPG,
        "raw": RAW,
        "packed": PACKED,
        "json": JSON,
        "html": HTML,
        "ndjson": NDJSON,
        "zip": ZIP,
        "mixed": MIXED,
    }
)
"""Media type of each value of the option `format`."""
