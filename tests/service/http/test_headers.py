"""Headers of responses: text that is safe in a header, and times in milliseconds."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.headers import header_text, server_timing
from service.runtime.timing import Timings


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("tiger cat", "tiger cat"),
        ("!~\"'(),;:/?", "!~\"'(),;:/?"),
        ("100 %", "100 %25"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("a\r\nb\x7f\x1f", "a%0D%0Ab%7F%1F"),
    ],
)
def test_only_printable_ascii_without_percent_stays(text: str, written: str) -> None:
    assert header_text(text) == written


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_one_line_of_ascii_and_comes_back(text: str) -> None:
    assert all(" " <= letter <= "~" for letter in header_text(text))
    assert unquote(header_text(text)) == text


def test_times_are_milliseconds_of_every_stage_in_order() -> None:
    timings = Timings(decode=0.0125, queue=1.0, model=0.25, encode=0.00004)

    assert server_timing(timings) == "decode;dur=12.5, queue;dur=1000.0, model;dur=250.0, encode;dur=0.0"
