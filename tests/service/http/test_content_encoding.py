"""Bodies in a content coding, in pieces of any size, damaged or cut short."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncGenerator, Sequence

import anyio
import pytest

from models.errors import UnsupportedFormat
from service.errors import MalformedUpload
from service.http import content_encoding
from service.http.content_encoding import decoded

TEXT = bytes(range(256)) * 1000


def read(pieces: Sequence[bytes], coding: str) -> list[bytes]:
    async def body() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece

    async def run() -> list[bytes]:
        return [chunk async for chunk in decoded(body(), coding)]

    return anyio.run(run)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("coding", ["", "identity", " Identity , identity", ","])
def test_a_body_as_it_is_stays_as_it_is(coding: str) -> None:
    assert read([b"ab", b"", b"c"], coding) == [b"ab", b"", b"c"]


@pytest.mark.parametrize("size", [1, 2, 7, 100, 10**6])
@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        (" GZip ,identity", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:1000]) + gzip.compress(b"") + gzip.compress(TEXT[1000:])),
    ],
    ids=["gzip", "x-gzip", "case", "deflate", "members"],
)
def test_a_coded_body_comes_back(coding: str, data: bytes, size: int) -> None:
    assert b"".join(read(cut(data, size), coding)) == TEXT


def test_a_body_without_bytes_is_whole() -> None:
    assert read([], "gzip") == read([b"", b""], "gzip") == []


@pytest.mark.parametrize("coding", ["br", "gzip, deflate", "gzip, gzip", "compress", "identity, zstd"])
def test_other_codings_are_refused_before_the_body_is_read(coding: str) -> None:
    asked: list[str] = []

    async def body() -> AsyncGenerator[bytes, None]:
        asked.append("")
        yield b""

    with pytest.raises(UnsupportedFormat, match="Content-Encoding: gzip"):
        decoded(body(), coding)
    assert not asked


def test_a_long_name_is_cut_in_the_message() -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b""

    with pytest.raises(UnsupportedFormat) as found:
        decoded(body(), "x" * 500)
    assert repr("x" * 500)[:80] in str(found.value) and "x" * 80 not in str(found.value)


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(TEXT)[:-1]),
        ("gzip", gzip.compress(TEXT, mtime=0)[:5]),
        ("gzip", b"\x1f"),
        ("gzip", b"no gzip"),
        ("gzip", zlib.compress(TEXT)),
        ("deflate", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)[:-1]),
        ("gzip", gzip.compress(TEXT) + b"more"),
        ("gzip", gzip.compress(TEXT) + gzip.compress(TEXT)[:-3]),
    ],
)
@pytest.mark.parametrize("size", [3, 10**6])
def test_a_body_that_is_not_whole_is_refused(coding: str, data: bytes, size: int) -> None:
    with pytest.raises(MalformedUpload, match=f"not whole {coding} data"):
        read(cut(data, size), coding)


def test_a_bomb_is_inflated_in_steps() -> None:
    pieces = read([gzip.compress(bytes(1 << 20))], "gzip")

    assert {len(piece) for piece in pieces} == {1 << 16} and sum(map(len, pieces)) == 1 << 20
    assert content_encoding._STEP == 65536
