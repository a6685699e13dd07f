"""Names of files in responses: Content-Disposition (RFC 6266)."""

from __future__ import annotations

import re
from urllib.parse import quote

_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\/:*?<>|]+')
_MOST = 100  # characters of the stem
_NO_STEM = "image"


def result_name(upload_name: str, colors: int, extension: str) -> str:
    """Return the name of a result: the stem of the upload's name, the number of colors, and the extension.

    upload_name: from the client, with any characters and folders; empty if there was none.
    """
    name = upload_name.replace("\\", "/").rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    stem = _UNSAFE.sub("_", stem).strip(" ._")[:_MOST]
    return f"{stem or _NO_STEM}-k{colors}.{extension}"


def content_disposition(name: str, *, kind: str = "inline") -> str:
    """Return the header for a file of that name, with a second form of the name where it is not plain ASCII."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    header = f'{kind}; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name)}"
