"""Request bodies in a content coding (RFC 9110, section 8.4)."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from models.errors import UnsupportedFormat
from service.errors import MalformedUpload

_STEP = 1 << 16  # bytes that are inflated at a time, so that the limit on the body stops a bomb early
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def decoded(chunks: AsyncGenerator[bytes, None], coding: str) -> AsyncGenerator[bytes, None]:
    """Return the chunks of a body without its Content-Encoding: none, identity, gzip or deflate.

    The caller limits the bytes of both streams.

    Args:
        chunks: the body.
        coding: the values of all Content-Encoding headers, separated by commas.

    Raises:
        UnsupportedFormat: another coding, or several.
        MalformedUpload: the body is not in this coding, or cut short; raised while the chunks are read.
    """
    names = [name for name in (each.strip().lower() for each in coding.split(",")) if name not in ("", "identity")]
    if not names:
        return chunks
    if len(names) > 1 or names[0] not in _WINDOWS:
        raise UnsupportedFormat(
            f"The request body has the Content-Encoding {coding!r:.80}, which is not accepted. "
            "Send the body as it is, or with Content-Encoding: gzip."
        )
    return _inflated(chunks, names[0])


async def _inflated(chunks: AsyncGenerator[bytes, None], name: str) -> AsyncGenerator[bytes, None]:
    inflater = zlib.decompressobj(_WINDOWS[name])
    begun = False
    async with aclosing(chunks):
        async for chunk in chunks:
            rest = chunk
            begun = begun or bool(chunk)
            while rest or not inflater.eof:
                if inflater.eof:  # a gzip file may have several members
                    inflater = zlib.decompressobj(_WINDOWS[name])
                try:
                    piece = inflater.decompress(rest, _STEP)
                except zlib.error:
                    raise MalformedUpload(_damaged(name)) from None
                rest = inflater.unused_data or inflater.unconsumed_tail
                if piece:
                    yield piece
                elif not rest:
                    break
    if begun and not inflater.eof:
        raise MalformedUpload(_damaged(name))


def _damaged(name: str) -> str:
    return f"The request body is not whole {name} data, as its Content-Encoding announces. Send the body as it is."
