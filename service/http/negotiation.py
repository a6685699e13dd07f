"""Content negotiation by the Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import NotAcceptable


@dataclass(frozen=True)
class MediaRange:
    """One element of an Accept header: `type/subtype` where either may be `*`, and its weight `q` in [0, 1]."""

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
    """The well-formed elements of an Accept header, without their parameters other than `q`."""
    parsed = (_parse_range(element) for element in header.split(","))
    return tuple(media_range for media_range in parsed if media_range is not None)


def choose(accept: str | None, offers: Sequence[str]) -> str:
    """The offer that the client likes best.

    Args:
        accept: the Accept header, all its lines joined by commas; None when there is none.
        offers: media types that can be answered, the preferred one first.

    A tie in weight goes to the offer that was named more exactly, then to the earlier offer: a client that says
    `application/json, */*` means JSON.

    Raises:
        NotAcceptable: the header is there and rules out every offer.
    """
    ranges = parse_accept(accept or "")
    if not ranges:
        return offers[0]
    weighed = [(_weight(ranges, offer), -position, offer) for position, offer in enumerate(offers)]
    (quality, _), _, best = max(weighed)
    if quality <= 0:
        raise NotAcceptable(f"Accept is {accept!r:.200}, but the answer can only be {' or '.join(offers)}.")
    return best


def _weight(ranges: Sequence[MediaRange], media_type: str) -> tuple[float, int]:
    """(quality, specificity) of the most specific range that matches; (0, 0) when none does."""
    matching = [(found.specificity, found.quality) for found in ranges if found.matches(media_type)]
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
    return value if 0.0 <= value <= 1.0 else None  # also turns away nan
