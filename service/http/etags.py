"""Entity tags (RFC 9110, section 8.8.3): the tag of a body, and the tags that a client already has."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable

_MOST_REMEMBERED = 4096


def etag_of(body: bytes, models_digest: str = "") -> str:
    """Return the strong entity tag of a body: equal bodies by the same models have equal tags.

    The headers beside the body, such as labels, come from the models as well.
    """
    digest = hashlib.sha256(models_digest.encode() + b"\n")
    digest.update(body)
    return f'"{digest.hexdigest()[:32]}"'


def matches(if_none_match: str, etag: str) -> bool:
    """Return whether the header If-None-Match names the tag; the comparison is weak (section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags


class Remembered:
    """The entity tags of the last responses, by what the request holds, so that a repeated request costs no work."""

    def __init__(self, most: int = _MOST_REMEMBERED) -> None:
        self._most = most
        self._tags: OrderedDict[bytes, str] = OrderedDict()

    def find(self, key: bytes) -> str | None:
        """Return the tag of the response to a request, None if it is not remembered."""
        if key in self._tags:
            self._tags.move_to_end(key)
        return self._tags.get(key)

    def keep(self, key: bytes, etag: str) -> None:
        """Remember the tag of the response to a request; forget the one that was used least recently."""
        self._tags[key] = etag
        self._tags.move_to_end(key)
        if len(self._tags) > self._most:
            self._tags.popitem(last=False)


def request_key(parts: Iterable[bytes]) -> bytes:
    """Return a digest of what decides a response; parts of different requests differ in number, length or bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
