"""Forms: images and options in multipart/form-data (RFC 7578), as browsers, curl and mail libraries write it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from models.errors import UnsupportedFormat
from service.errors import BadUpload, MalformedUpload
from service.http.mistakes import advice
from service.schemas.upload import UploadedFile

FILE_FIELD = "file"
CHARSET_FIELD = "_charset_"  # of browsers; the fields are UTF-8 (RFC 7578, section 4.6)
PALETTE_FIELD = "palette"  # the only option that may come as a file
_MAX_FIELD_BYTES = 1 << 14  # a GIMP palette of 256 colors has some 6 kB
_MAX_TEXT_BYTES = 4096  # of a field `file` that is taken for text
_HINT = (
    "Send the image as the field `file` (curl -F file=@photo.jpg) or as the raw body (curl --data-binary @photo.jpg)."
)
_EXTENDED_NAME = re.compile(rb";\s*filename\*\s*=\s*\"?([\w-]*)'[\w-]*'([^;\"]*)", re.IGNORECASE)  # RFC 8187
_PLAIN = frozenset(
    [
        *((b"content-transfer-encoding", name) for name in ("", "7bit", "8bit", "binary")),
        (b"content-encoding", "identity"),
    ]
)
_REASONS: Mapping[str, str] = {
    "Maximum header size exceeded": "A header of a part has more than 4,224 bytes; send a shorter file name",
    "Maximum header count exceeded": "A part has more than 8 headers; send fewer",
}


async def read_form(
    headers: Headers, chunks: AsyncGenerator[bytes, None], *, max_bytes: int, max_parts: int, max_images: int
) -> tuple[tuple[UploadedFile, ...], tuple[tuple[str, str], ...]]:
    """Return the images and the options of a form.

    A field `file` is an image, with or without a file name. Text before the first boundary is skipped (RFC 2046,
    section 5.1.1).

    Args:
        headers: of the request; Content-Type holds the boundary.
        chunks: the body.
        max_bytes: limit on the body, which `chunks` enforces.
        max_parts: limit on the files, and on the other fields.
        max_images: limit on the images.

    Raises:
        UnsupportedFormat: a part is coded, for example as base64.
        MalformedUpload: the body is not the form that its Content-Type announces, or has too many parts.
        BadUpload: no file is in the field `file`, one is in another field, or there are too many.
    """
    parser = _MemoryParser(headers, chunks, max_bytes, max_parts)
    try:
        form = await parser.parse()
    except _CodedPart as error:
        raise UnsupportedFormat(f"{error.message}. Send the bytes of the file as they are.") from None
    except MultiPartException as error:
        reason = _REASONS.get(str(error.__cause__).split(", at ")[0], "") if error.__cause__ else ""
        raise MalformedUpload(f"{reason or error.message.rstrip('.')}. {_HINT}") from None
    return await _split_form(form, max_images)


class _CodedPart(MultiPartException):
    """A part is coded, which RFC 7578 does not provide for."""


class _MemoryParser(MultiPartParser):
    """Starlette's parser, but with files in memory, since the body is bounded, and strict about truncated forms."""

    def __init__(self, headers: Headers, chunks: AsyncGenerator[bytes, None], max_bytes: int, max_parts: int) -> None:
        super().__init__(
            headers,
            self._whole(_without_preamble(chunks, _boundary(headers))),
            max_files=max_parts,
            max_fields=max_parts,
            max_part_size=_MAX_FIELD_BYTES,
        )
        self.spool_max_size = max_bytes
        self._ended = False

    def on_headers_finished(self) -> None:
        """Take a field `file` without a file name, or with an extended one, for a file like any other."""
        disposition = self._current_part.content_disposition or b""
        _, options = parse_options_header(disposition)
        extended = _EXTENDED_NAME.search(disposition)
        named = b"filename" in options
        if not named and (extended or options.get(b"name") == FILE_FIELD.encode()):
            self._current_part.content_disposition = disposition + b'; filename=""'
        self._refuse_coding()
        super().on_headers_finished()
        if self._current_part.file is not None and (extended or not named):
            self._current_part.file.filename = _decoded_name(*extended.groups()) if extended else None

    def _refuse_coding(self) -> None:
        """Raise _CodedPart for a part whose content is coded, such as base64 of mail libraries."""
        for name, value in self._current_part.item_headers:
            coding = value.decode("latin-1").strip().lower()
            if (name, coding) not in _PLAIN and name in (b"content-transfer-encoding", b"content-encoding"):
                raise _CodedPart(
                    f"A part of the form has the {name.decode().title()} {coding!r:.80}, which is not decoded"
                )

    def on_end(self) -> None:
        self._ended = True

    async def _whole(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Yield the chunks; raise after the last one of a truncated form, in time for `parse` to close its files."""
        async for chunk in chunks:
            yield chunk
        if not self._ended:
            raise MultiPartException("The form ends before its closing boundary.")


def _boundary(headers: Headers) -> bytes:
    """Return the boundary, empty if the header has none; `parse` reports that."""
    _, options = parse_options_header(headers.get("content-type", ""))
    return options.get(b"boundary", b"")


async def _without_preamble(chunks: AsyncIterator[bytes], boundary: bytes) -> AsyncGenerator[bytes, None]:
    """Yield the form from its first boundary on, which begins a line."""
    delimiter, start, found = b"\n--" + boundary, bytearray(b"\n"), False
    async for chunk in chunks:
        if found:
            yield chunk
            continue
        searched = max(0, len(start) - len(delimiter))
        start += chunk
        at = start.find(delimiter, searched)
        end = at + len(delimiter)
        if at >= 0 and len(start) > end:
            found = True
            _check_line_end(start[end])
            yield bytes(start[at + 1 :])
    if not found and boundary:
        raise MultiPartException("The form does not hold the boundary that its Content-Type announces.")


def _check_line_end(byte: int) -> None:
    """Raise MultiPartException for a byte behind the first boundary that the parser would call invalid."""
    if byte == ord("\n"):
        raise MultiPartException("The lines of the form end with LF alone; they must end with CRLF (RFC 2046)")
    if byte in b" \t":
        raise MultiPartException("White space follows the boundary of the form; remove it")


def _decoded_name(charset: bytes, value: bytes) -> str:
    try:
        return unquote_to_bytes(value).decode(charset.decode("ascii") or "utf-8", "replace")
    except (LookupError, UnicodeError):
        return unquote_to_bytes(value).decode("latin-1")


async def _split_form(form: FormData, max_images: int) -> tuple[tuple[UploadedFile, ...], tuple[tuple[str, str], ...]]:
    try:
        files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
        palettes = [await value.read() for name, value in files if name == PALETTE_FIELD]
        files = [(name, value) for name, value in files if name != PALETTE_FIELD]
        fields = tuple(
            (name, value) for name, value in form.multi_items() if isinstance(value, str) and name != CHARSET_FIELD
        )
        fields += tuple((PALETTE_FIELD, _palette_text(data)) for data in palettes)
        _require_images([name for name, _ in files], fields, max_images)
        return tuple([await _read_file(file) for _, file in files]), fields
    finally:
        await form.close()


def _palette_text(data: bytes) -> str:
    if len(data) > _MAX_FIELD_BYTES:
        raise BadUpload(f"The file in the field `palette` has more than {_MAX_FIELD_BYTES} bytes; send a GIMP palette.")
    return data.decode("utf-8", "replace")


async def _read_file(file: UploadFile) -> UploadedFile:
    data = await file.read()
    if file.filename is None and "content-type" not in file.headers and _is_text(data):
        raise BadUpload(advice("The field `file` holds", data) or f"The field `file` holds text, not a file. {_HINT}")
    return UploadedFile(data, file.filename or "")


def _is_text(data: bytes) -> bool:
    """Return whether a part is a text that somebody sends instead of a file, such as its name."""
    try:
        return len(data) <= _MAX_TEXT_BYTES and data.decode().replace("\n", "").replace("\r", "").isprintable()
    except UnicodeDecodeError:
        return False


def _require_images(files: Sequence[str], fields: Sequence[tuple[str, str]], max_images: int) -> None:
    """Raise BadUpload unless the fields of the files are one to `max_images` times `file`."""
    if len(files) > max_images:
        limit = "one image per request" if max_images == 1 else f"at most {max_images} images in one request"
        raise BadUpload(f"The form holds {len(files)} files; send {limit}.")
    other = next((name for name in files if name != FILE_FIELD), None)
    if other is not None:
        raise BadUpload(f"A file is in the field {other!r:.80}; name the field `file` (curl -F file=@photo.jpg).")
    if not files:
        told = (advice(f"The field {name!r:.80} holds", value.encode()) for name, value in fields)
        raise BadUpload(f"The form holds no field `file`. {next(filter(None, told), _HINT)}")
