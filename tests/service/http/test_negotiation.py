"""The Accept header selects the media type as RFC 9110 defines it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import NotAcceptable
from service.http.negotiation import MediaRange, parse_accept, select_media_type

PNG, JSON = "image/png", "application/json"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, PNG),
        ("", PNG),
        ("*/*", PNG),
        ("image/*", PNG),
        ("application/json", JSON),
        ("Application/JSON; charset=utf-8", JSON),
        ("image/png;q=0.4, application/json;q=0.5", JSON),
        ("image/png;q=0.5, application/json;q=0.4", PNG),
        ("image/png, application/json", PNG),  # a tie goes to the first offer ...
        ("application/json, */*", JSON),  # ... but a named type beats a wildcard
        ("application/json, text/plain, */*", JSON),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, image/avif, */*;q=0.8", PNG),  # a browser
        ("*/*, image/png;q=0", JSON),  # the more specific range counts, in any order
        ("image/png;q=0, */*", JSON),
        ("image/*;q=0.1, */*;q=0.9", JSON),
        ("text/html, application/*;q=0.1", JSON),
        ("nonsense", PNG),  # without a well-formed element, the header is ignored
        ("nonsense, application/json", JSON),
    ],
)
def test_the_best_offer_is_selected(accept: str | None, expected: str) -> None:
    assert select_media_type(accept, (PNG, JSON)) == expected


@pytest.mark.parametrize("accept", ["text/html", "image/jpeg, image/webp", "*/*;q=0", "image/png;q=0"])
def test_an_unacceptable_header_selects_no_offer(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="image/png or application/json"):
        select_media_type(accept, (PNG, JSON))


@pytest.mark.parametrize(
    "element", ["", "image", "image/", "/png", "*/png", "image/png;q=2", "image/png;q=high", "image/png;q=nan"]
)
def test_malformed_elements_are_ignored(element: str) -> None:
    assert parse_accept(f"{element}, text/plain") == (MediaRange("text", "plain", 1.0),)


@given(st.text())
def test_any_header_selects_an_offer_or_none(accept: str) -> None:
    try:
        assert select_media_type(accept, (PNG, JSON)) in (PNG, JSON)
    except NotAcceptable:
        assert parse_accept(accept)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ("a/b;q=0", MediaRange("a", "b", 0.0)),
        ("a/b;q=1", MediaRange("a", "b", 1.0)),
        ("a/b; Q = 0.5 ", MediaRange("a", "b", 0.5)),
        ("a/b;level=2;q=0.25", MediaRange("a", "b", 0.25)),
        ("a/b;q=0.5;q=0.1", MediaRange("a", "b", 0.5)),
        ("a/*", MediaRange("a", "*", 1.0)),
        ("*/*", MediaRange("*", "*", 1.0)),
    ],
)
def test_an_element_has_its_range_and_weight(element: str, expected: MediaRange) -> None:
    assert parse_accept(element) == (expected,)


@pytest.mark.parametrize("element", ["a/b;q=1.001", "a/b;q=-0.001", "a/b;q=", "a/b;q", "*/b", "a", "a/b;q=inf"])
def test_a_weight_outside_of_zero_to_one_is_ignored_with_its_range(element: str) -> None:
    assert parse_accept(element) == ()


def test_a_tie_goes_to_the_more_specific_range_and_then_to_the_earlier_offer() -> None:
    offers = ("a/x", "b/y", "b/z")

    assert select_media_type("*/*;q=0.5, b/*;q=0.5", offers) == "b/y"
    assert select_media_type("a/*, b/z", offers) == "b/z"
    assert select_media_type("b/z, b/y", offers) == "b/y"
    assert select_media_type("a/*;q=0.001, text/html", offers) == "a/x"
