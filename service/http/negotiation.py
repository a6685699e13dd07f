"""Content negotiation by the Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import NotAcceptable


@dataclass(frozen=True)
class MediaRange:
    """Element of an Accept header: `type/subtype`, either of which may be `*`, and the weight `q` in [0, 1]."""

    type: str
    subtype: str
    quality: float

    @property
    def specificity(self) -> int:
        return (self.type != "*") + (self.subtype != "*")

    def matches(self, media_type: str) -> bool:
        kind, _, subtype = media_type.partition("/")
        return self.type in ("*", kind) and self.subtype in ("*", subtype)


def parse_accept(header: str) -> tuple[MediaRange, ...]:
    """Return the well-formed elements of an Accept header, without any parameter but `q`."""
    parsed = (_parse_range(element) for element in header.split(","))
    return tuple(media_range for media_range in parsed if media_range is not None)


def select_media_type(accept: str | None, offers: Sequence[str]) -> str:
    """Return the offer that the client prefers.

    Args:
        accept: the Accept header, all its lines joined by commas; None without the header.
        offers: media types of the endpoint, the default first.

    A tie in weight goes to the offer that a more specific range matches, then to the earlier offer: a client that
    sends `application/json, */*` wants JSON.

    Raises:
        NotAcceptable: the header rules out every offer.
    """
    ranges = parse_accept(accept or "")
    if not ranges:
        return offers[0]
    weights = [(_weight(ranges, offer), -position, offer) for position, offer in enumerate(offers)]
    (quality, _), _, best = max(weights)
    if quality <= 0:
        raise NotAcceptable(f"Accept is {accept!r:.200}, but the response can only be {' or '.join(offers)}.")
    return best


def _weight(ranges: Sequence[MediaRange], media_type: str) -> tuple[float, int]:
    """Return (quality, specificity) of the most specific range that matches; (0, 0) when none does."""
    matching = [(each.specificity, each.quality) for each in ranges if each.matches(media_type)]
    specificity, quality = max(matching, default=(0, 0.0))
    return quality, specificity


def _parse_range(element: str) -> MediaRange | None:
    name, *parameters = (part.strip().lower() for part in element.split(";"))
    kind, slash, subtype = name.partition("/")
    if not (slash and kind and subtype) or (kind == "*" and subtype != "*"):
        return None
    quality = _parse_quality(parameters)
    return None if quality is None else MediaRange(kind, subtype, quality)


def _parse_quality(parameters: Sequence[str]) -> float | None:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return _unit_interval(value.strip())
    return 1.0


def _unit_interval(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None  # also false for nan
