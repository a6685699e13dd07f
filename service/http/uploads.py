"""Uploads: images and text options, read from multipart/form-data or from a raw body and the query."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

import anyio
from fastapi import Request
from pydantic import BaseModel

from models.errors import ImageTooLarge, UnsupportedFormat
from service.errors import BadUpload, UploadTimeout
from service.http.content_encoding import decoded
from service.http.forms import read_form
from service.http.mistakes import advice
from service.schemas.text_options import read_options
from service.schemas.upload import Upload, UploadedFile

Options = TypeVar("Options", bound=BaseModel)

_HINT_OF_SEVERAL = (
    "Send each image as a field `file` (curl -F file=@a.jpg -F file=@b.jpg), or one as the raw body "
    "(curl --data-binary @photo.jpg)."
)


async def read_upload(
    request: Request, *, max_bytes: int, timeout: float, max_parts: int, max_images: int = 1, body_needed: bool = False
) -> Upload:
    """Read the body of `request`, and reject it as soon as it proves too large.

    A body that is not multipart/form-data is the image itself, with any Content-Type: `curl --data-binary` sends a
    photo as a URL-encoded form.

    Raises:
        ImageTooLarge: the body has, or its Content-Length announces, more than `max_bytes` bytes, also after its
            Content-Encoding is decoded.
        UnsupportedFormat: the Content-Encoding is none that is decoded, or the body is multipart but no form, or a text
            that people send in place of an image, such as JSON or an address.
        UploadTimeout: the body did not end within `timeout` seconds.
        MalformedUpload: the body is not the well-formed multipart form that its Content-Type announces, or damaged in
            its Content-Encoding, or the form has more than `max_parts` files or `max_parts` other fields.
        BadUpload: the form holds no file in the field `file`, a file in another field, or more than `max_images`
            files; or the body is empty and `body_needed`. Otherwise an empty body is an image without bytes.
    """
    async with _body(request, max_bytes, timeout) as chunks:
        files, form_options = await _read_body(request, chunks, max_bytes, max_parts, max_images, body_needed)
    return Upload(files, form_options, tuple(request.query_params.multi_items()))


async def read_bytes(request: Request, *, max_bytes: int, timeout: float) -> bytes:
    """Read the body of `request` as it is, without its Content-Encoding.

    Raises ImageTooLarge, UnsupportedFormat, UploadTimeout and MalformedUpload as `read_upload` does.
    """
    async with _body(request, max_bytes, timeout) as chunks:
        return await _join(chunks)


def parse_options(upload: Upload, model: type[Options]) -> Options:
    """Return the options of `upload` as a validated `model`. A tuple field gets all values of its option.

    Raises:
        BadOption: an option is unknown, out of range, or repeated although its field is not a tuple. An option counts
            as repeated in the form, in the query, and across both.
    """
    return read_options((*upload.query_options, *upload.form_options), model)


@asynccontextmanager
async def _body(request: Request, max_bytes: int, timeout: float) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    """Yield the chunks of the body, decoded and limited in bytes; the block must read them in time."""
    _refuse_announced_size(request, max_bytes)
    try:
        with anyio.fail_after(timeout):
            body = decoded(_limited(request.stream(), max_bytes), ",".join(request.headers.getlist("content-encoding")))
            async with aclosing(_limited(body, max_bytes)) as chunks:
                yield chunks
    except TimeoutError:
        raise UploadTimeout(f"The request body did not end within {timeout:g} seconds.") from None


def _refuse_announced_size(request: Request, max_bytes: int) -> None:
    """Reject the body before its first byte. The header may be wrong or missing, so `_limited` counts the bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(f"The request body may have at most {max_bytes} bytes; send a smaller file.")


async def _limited(stream: AsyncGenerator[bytes, None], max_bytes: int) -> AsyncGenerator[bytes, None]:
    received = 0
    async with aclosing(stream):
        async for chunk in stream:
            received += len(chunk)
            if received > max_bytes:
                raise _too_large(max_bytes)
            yield chunk


async def _read_body(
    request: Request,
    chunks: AsyncGenerator[bytes, None],
    max_bytes: int,
    max_parts: int,
    max_images: int,
    body_needed: bool,
) -> tuple[tuple[UploadedFile, ...], tuple[tuple[str, str], ...]]:
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        data = await _join(chunks)
        if content_type.lower().startswith("multipart/") and data.startswith(b"--"):
            raise UnsupportedFormat(
                f"The body is a {content_type.partition(';')[0]!r:.80}, which is not accepted. "
                "Send the image as multipart/form-data in the field `file`, or as the raw body."
            )
        if not data and body_needed:
            raise BadUpload(f"The request has no body. {_HINT_OF_SEVERAL}")
        told = advice("The body is", data, content_type.partition(";")[0].strip().lower())
        if told:
            raise UnsupportedFormat(told)
        return (UploadedFile(data),), ()
    return await read_form(request.headers, chunks, max_bytes=max_bytes, max_parts=max_parts, max_images=max_images)


async def _join(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])
