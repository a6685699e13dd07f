"""Texts that people send in place of an image, and one sentence for each about what to do instead."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LONGEST = 4096  # bytes of an address, a name or a form
_BEGINNING = 64  # bytes that show whether a long text is JSON or base64

_JSON = re.compile(r"\s*[\[{]\s*[\"\[{\]}]")
_ADDRESS = re.compile(r"\s*@?(?:https?|ftp|s3|gs|file|blob)://\S+\s*", re.IGNORECASE)
_IN_BASE64 = re.compile(  # a data: address, or the beginnings of PNG, JPEG, GIF, WebP and TIFF
    r"\s*(?:data:[\w/+.-]*;base64,|(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR|SUkqA|TU0AK)[A-Za-z0-9+/]{8})"
)
_FILE_NAME = re.compile(r"\s*@?(?:[A-Za-z]:\\|~?/|\.{1,2}/)?[^\r\n<>|*?\"=&]{1,255}\.[A-Za-z0-9]{3,4}\s*")
_URL_ENCODED = re.compile(r"[\w.%+\[\]-]+=[^\s=&]+(?:&[\w.%+\[\]-]+=[^\s=&]*)*\s*")

_DOWNLOAD = (
    "the service fetches none, so download the image and send its bytes (curl ADDRESS | curl --data-binary @- ...)"
)
_ADVICE: Mapping[str, str] = {
    "JSON": "send the bytes of the file (curl --data-binary @photo.jpg), or a form (curl -F file=@photo.jpg), and the "
    "options in the query or in the form",
    "JSON with an address": _DOWNLOAD,
    "an address": _DOWNLOAD,
    "base64": "decode the text and send the bytes of the file",
    "the name of a file": "send its content, in curl with @ before the name (curl -F file=@photo.jpg)",
    "a URL-encoded form": "it cannot hold a file, so send multipart/form-data (curl -F file=@photo.jpg)",
}


def advice(holder: str, data: bytes, content_type: str = "") -> str | None:
    """Return a sentence about a text that was sent in place of an image; None where it is nothing of that kind.

    holder: where the text is, as the subject of the sentence. content_type: media type that the client declares, in
    lower case.
    """
    kind = _kind(data, content_type)
    return kind and f"{holder} {kind}, not an image: {_ADVICE[kind]}."


def _kind(data: bytes, content_type: str) -> str | None:
    beginning = _text(data[:_BEGINNING])
    if beginning is None:
        return None
    if content_type == "application/json" or content_type.endswith("+json") or _JSON.match(beginning):
        return "JSON with an address" if b"://" in data[:_LONGEST] else "JSON"
    if _IN_BASE64.match(beginning):
        return "base64"
    text = _text(data) if len(data) <= _LONGEST else None
    if text is None:
        return None
    whole = ((_ADDRESS, "an address"), (_URL_ENCODED, "a URL-encoded form"), (_FILE_NAME, "the name of a file"))
    return next((name for pattern, name in whole if pattern.fullmatch(text)), None)


def _text(data: bytes) -> str | None:
    """Return printable UTF-8 as text, None for other bytes; a letter that the end cuts off is left out."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            return None
        text = data[: error.start].decode("utf-8")
    return text if text and all(letter.isprintable() or letter in "\r\n\t" for letter in text) else None
