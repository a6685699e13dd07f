"""Any body is an upload or one of our errors, in any chunks."""

from collections.abc import Sequence
from itertools import pairwise

import anyio
import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from models.errors import ColorCNNError, ImageTooLarge
from service.errors import BadUpload, MalformedUpload
from service.http.mistakes import advice
from service.http.problems import PROBLEMS
from service.http.uploads import read_upload
from service.schemas.upload import Upload, UploadedFile

FORM = "multipart/form-data; boundary=X"
FILE_HEAD = b'--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
OPTION = b'--X\r\nContent-Disposition: form-data; name="colors"\r\n\r\n2\r\n'
END = b"\r\n--X--\r\n"

FRAGMENTS = (
    b"--X",
    b"--X\r\n",
    b"--X--",
    b"--",
    b"\r\n",
    b"\r\n\r\n",
    FILE_HEAD,
    OPTION,
    END,
    b"Content-Disposition: ",
)


def read(
    chunks: Sequence[bytes],
    content_type: str,
    query: str = "",
    max_images: int = 1,
    encoding: str = "",
    body_needed: bool = False,
    max_bytes: int = 10_000,
) -> Upload:
    """Read the upload of a request whose body arrives in these chunks."""
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    headers = [(b"content-type", content_type.encode("latin-1"))]
    headers += [(b"content-encoding", encoding.encode())] if encoding else []
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query.encode(), "headers": headers}

    async def run() -> Upload:
        return await read_upload(
            Request(scope, receive),
            max_bytes=max_bytes,
            timeout=30,
            max_parts=12,
            max_images=max_images,
            body_needed=body_needed,
        )

    return anyio.run(run)


@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=20), max_size=12))
def test_any_form_is_an_upload_or_rejected(fragments: list[bytes]) -> None:
    try:
        upload = read(fragments, FORM)
    except ColorCNNError as error:
        assert type(error) in PROBLEMS
    else:
        assert upload.image in b"".join(fragments)


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_content_type_is_read_or_rejected(parameters: str) -> None:
    try:
        read([FILE_HEAD, END], f"multipart/form-data;{parameters}")
    except ColorCNNError as error:
        assert type(error) in PROBLEMS


@given(st.binary(max_size=200).filter(lambda image: b"--X" not in image), st.lists(st.integers(0, 400), max_size=8))
def test_chunks_do_not_change_the_upload(image: bytes, cuts: list[int]) -> None:
    body = OPTION + FILE_HEAD + image + END
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[start:end] for start, end in pairwise(edges)]

    upload = read(chunks, FORM, query="effort=fast&empty=")

    assert upload.image == image
    assert upload.form_options == (("colors", "2"),)
    assert upload.query_options == (("effort", "fast"), ("empty", ""))


NO_BOUNDARY = st.binary(max_size=20).filter(lambda data: b"--X" not in data)


@given(st.lists(st.tuples(st.text("a é./", max_size=5), NO_BOUNDARY), min_size=1, max_size=5))
def test_several_files_keep_their_order_and_names(files: list[tuple[str, bytes]]) -> None:
    parts = [FILE_HEAD.replace(b'"a"', f'"{name}"'.encode()) + data + b"\r\n" for name, data in files]

    upload = read([*parts, b"--X--\r\n"], FORM, max_images=5)

    assert upload == Upload(tuple(UploadedFile(data, name) for name, data in files))


@given(st.binary(max_size=300).filter(lambda body: advice("The body is", body) is None))
def test_a_raw_body_is_the_image(image: bytes) -> None:
    assert read([image[:7], image[7:]], "application/x-www-form-urlencoded") == Upload((UploadedFile(image),))


@pytest.mark.parametrize("part", [OPTION, FILE_HEAD + b"x\r\n"], ids=["fields", "files"])
def test_a_form_of_too_many_parts_is_rejected_while_it_is_read(part: bytes) -> None:
    last = [FILE_HEAD, END] if part == OPTION else [b"--X--\r\n"]
    read([part * 12, *last], FORM, max_images=12)

    with pytest.raises(MalformedUpload, match="12"):
        read([part * 13, *[b"not a form any more"] * 2], FORM, max_images=12)


def test_a_body_may_have_as_many_bytes_as_the_limit() -> None:
    assert len(read([b"x" * 9999, b"x"], "image/png").image) == 10_000
    with pytest.raises(ImageTooLarge, match="at most 10000 bytes"):
        read([b"x" * 9999, b"xx"], "image/png")


@pytest.mark.parametrize(
    ("announced", "refused"),
    [
        ("10000", False),
        ("10001", True),
        ("9" * 5000, True),
        ("-1", False),
        ("1e9", False),
        ("\N{SUPERSCRIPT TWO}", False),
    ],
)
def test_a_body_that_announces_more_bytes_is_refused_before_its_first(announced: str, refused: bool) -> None:
    async def receive() -> Message:
        assert not refused
        return {"type": "http.request", "body": b"image", "more_body": False}

    headers = [(b"content-length", announced.encode("latin-1"))]
    request = Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive)

    async def run() -> Upload:
        return await read_upload(request, max_bytes=10_000, timeout=30, max_parts=12)

    if refused:
        with pytest.raises(ImageTooLarge):
            anyio.run(run)
    else:
        assert anyio.run(run).image == b"image"


def test_an_empty_body_is_an_image_without_bytes_unless_a_body_is_needed() -> None:
    assert read([], "image/png").image == b""
    with pytest.raises(BadUpload, match="no body"):
        read([], "image/png", body_needed=True)
