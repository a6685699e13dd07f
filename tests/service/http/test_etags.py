"""Entity tags: equal for equal bodies alone, compared as If-None-Match asks, and remembered for a while."""

import pytest

from service.http.etags import Remembered, etag_of, matches, request_key


def test_equal_bodies_alone_have_equal_strong_tags() -> None:
    assert etag_of(b"a") == etag_of(b"a") != etag_of(b"b")
    assert etag_of(b"a").startswith('"') and etag_of(b"a").endswith('"')


@pytest.mark.parametrize(
    ("header", "expected"),
    [('"x"', True), ('W/"x"', True), ('"y", "x"', True), ("*", True), ('"y"', False), ("", False), ("x", False)],
)
def test_if_none_match_is_compared_weakly(header: str, expected: bool) -> None:
    assert matches(header, '"x"') is expected


def test_the_least_recently_used_tag_is_forgotten() -> None:
    tags = Remembered(most=2)
    tags.keep(b"1", "one")
    tags.keep(b"2", "two")
    assert tags.find(b"1") == "one"
    tags.keep(b"3", "three")
    assert (tags.find(b"1"), tags.find(b"2"), tags.find(b"3")) == ("one", None, "three")


def test_the_key_depends_on_where_one_part_ends() -> None:
    assert request_key([b"ab", b"c"]) != request_key([b"a", b"bc"])
    assert request_key([b"ab"]) == request_key([b"ab"])


def test_equal_bodies_of_other_models_have_other_tags() -> None:
    assert etag_of(b"a", "1") == etag_of(b"a", "1") != etag_of(b"a", "2")
    assert etag_of(b"a") != etag_of(b"a", "1")
