"""Formats of responses: the option before the header, and what several images allow."""

from __future__ import annotations

import anyio
import pytest
from starlette.requests import Request

from models.errors import BadOption
from service.api import formats
from service.api.formats import accept_of, file_format, media_type_of, negotiate, quantize_media_type
from service.errors import NotAcceptable
from service.schemas.media_types import JSON, MIXED, PACKED, PNG, RAW, WEBP, ZIP


def request(*accept: str, query: str = "") -> Request:
    headers = [(b"accept", each.encode()) for each in accept]
    return Request({"type": "http", "method": "POST", "headers": headers, "query_string": query.encode()})


@pytest.mark.parametrize(
    ("accept", "query", "media_type"),
    [
        ((), "", PNG),
        (("application/json",), "", JSON),
        (("text/html",), "format=json", PNG),  # the option decides later, when all of them have been read
        (("application/json",), "format=", PNG),
        (("application/json",), "other=1", JSON),
    ],
)
def test_accept_counts_without_the_option(accept: tuple[str, ...], query: str, media_type: str) -> None:
    assert anyio.run(negotiate(PNG, JSON, WEBP), request(*accept, query=query)) == media_type


def test_a_header_that_rules_out_everything_is_refused() -> None:
    with pytest.raises(NotAcceptable):
        anyio.run(negotiate(PNG, JSON), request("text/html"))


def test_all_lines_of_accept_count() -> None:
    assert accept_of(request()) is None
    assert accept_of(request("image/png")) == "image/png"
    assert accept_of(request("text/html", "image/png;q=0.5")) == "text/html, image/png;q=0.5"


@pytest.mark.parametrize(
    ("format", "media_type"),
    [(None, WEBP), ("png", PNG), ("json", JSON), ("raw", RAW), ("packed", PACKED), ("zip", ZIP)],
)
def test_the_option_overrides_accept(format: str | None, media_type: str) -> None:
    assert media_type_of(format, WEBP) == media_type


@pytest.mark.parametrize(
    ("format", "negotiated", "images", "media_type"),
    [
        (None, PNG, 1, PNG),
        ("raw", PNG, 1, RAW),
        (None, JSON, 2, JSON),
        ("zip", PNG, 2, ZIP),
        ("mixed", PNG, 1, MIXED),
        (None, PNG, 2, ZIP),  # Accept names nothing else
    ],
)
def test_several_images_need_a_format_that_holds_them(
    format: str | None, negotiated: str, images: int, media_type: str
) -> None:
    assert quantize_media_type(request(), format, negotiated, images) == media_type


@pytest.mark.parametrize("format", ["png", "webp", "raw", "packed"])
def test_a_format_of_one_image_is_refused_for_several(format: str) -> None:
    with pytest.raises(BadOption) as found:
        quantize_media_type(request(), format, PNG, 3)
    assert str(found.value) == (
        f"format={format} holds one image, but the form holds 3; ask for format=zip, format=mixed or format=json."
    )


def test_accept_of_one_image_is_refused_for_several() -> None:
    with pytest.raises(NotAcceptable):
        quantize_media_type(request("image/png"), None, PNG, 2)
    assert quantize_media_type(request("image/png, multipart/mixed"), None, PNG, 2) == MIXED


@pytest.mark.parametrize(
    ("media_type", "format"),
    [(PNG, "png"), (JSON, "png"), (ZIP, "png"), (MIXED, "png"), (WEBP, "webp"), (RAW, "raw"), (PACKED, "packed")],
)
def test_files_are_png_unless_asked_for_otherwise(media_type: str, format: str) -> None:
    assert file_format(media_type) == format


def test_the_first_offer_is_the_default() -> None:
    firsts = [formats.QUANTIZE_ONE, formats.QUANTIZE_SEVERAL, formats.CLASSIFY, formats.COMPRESS, formats.BENCHMARK]
    assert [offers[0] for offers in firsts] == [PNG, ZIP, JSON, JSON, JSON]
