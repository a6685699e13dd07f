"""Forms as clients write them: file names in any place or none, preambles; what is wrong is told."""

import gzip
import re
import zlib
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ImageTooLarge, UnsupportedFormat
from service.errors import BadUpload, MalformedUpload
from service.schemas.upload import Upload, UploadedFile
from tests.service.http.test_uploads import END, FILE_HEAD, FORM, OPTION, read

IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20  # more than a text field may have
START = b'--X\r\nContent-Disposition: form-data; name="file"'


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\r\n\r\n", ""),
        (b"\r\nContent-Type: image/png\r\n\r\n", ""),
        (b"; filename*=UTF-8''caf%C3%A9%20.png\r\n\r\n", "café .png"),
        (b"; filename*=utf-8'en'a.png\r\n\r\n", "a.png"),
        (b"; filename*=iso-8859-1''caf%E9.png\r\n\r\n", "café.png"),
        (b"; filename*=nonsense''caf%E9.png\r\n\r\n", "café.png"),
        (b"; filename=\"plain.png\"; filename*=UTF-8''caf%C3%A9.png\r\n\r\n", "café.png"),
        (b'; filename=""\r\n\r\n', ""),
        (b'; filename="' + b"n" * 4000 + b'"\r\n\r\n', "n" * 4000),
    ],
)
def test_a_field_file_is_an_image_whatever_its_name(head: bytes, name: str) -> None:
    assert read([START + head + IMAGE, END], FORM) == Upload((UploadedFile(IMAGE, name),))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"photo.jpg", "holds the name of a file, .* with @ before the name"),
        (b"@photo.jpg\r\n", "holds the name of a file"),
        ("größe.png".encode(), "holds the name of a file"),
        (b"https://elsewhere.example/photo.jpg", "holds an address, .* download the image"),
        (b"data:image/png;base64,iVBORw0KGgo=", "holds base64, .* decode the text"),
        (b"a photograph", "holds text"),
        (b"", "holds text"),
    ],
)
def test_a_text_in_the_field_file_is_told(text: bytes, told: str) -> None:
    with pytest.raises(BadUpload, match=told):
        read([START + b"\r\n\r\n" + text, END], FORM)


@pytest.mark.parametrize("name", [b"image", b"upload", b"data", b"file[]"])
def test_a_file_in_another_field_is_told_the_right_name(name: bytes) -> None:
    part = START.replace(b"file", name) + b'; filename="a.png"\r\n\r\n' + IMAGE

    with pytest.raises(BadUpload, match=rf"in the field '{re.escape(name.decode())}'; name the field `file`"):
        read([part, END], FORM)


def test_an_address_in_another_field_is_told() -> None:
    part = START.replace(b"file", b"url") + b"\r\n\r\nhttps://elsewhere.example/photo.jpg"

    with pytest.raises(BadUpload, match=r"no field `file`\. The field 'url' holds an address, .* download the image"):
        read([part, END], FORM)


def test_an_extended_name_makes_any_field_a_file() -> None:
    other = START.replace(b'"file"', b'"photo"') + b"; filename*=UTF-8''a.png\r\n\r\n"

    with pytest.raises(BadUpload, match="'photo'"):
        read([other + IMAGE, END], FORM)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b'; filename="' + b"n" * 4300 + b'"\r\n\r\n', "4,224 bytes; send a shorter file name"),
        (b"".join(b"\r\nX-%d: 1" % number for number in range(9)) + b"\r\n\r\n", "more than 8 headers"),
    ],
)
def test_a_head_beyond_the_limits_is_told(head: bytes, told: str) -> None:
    with pytest.raises(MalformedUpload, match=told):
        read([START + head + IMAGE, END], FORM)


@given(
    st.sampled_from([b"", b"\r\n", b"This is a multipart message.\r\n", b"--Y\r\n", b"--\r\n-X\r\n\r\n", b"a --X\r\n"]),
    st.lists(st.integers(0, 500), max_size=8),
)
def test_a_preamble_is_skipped_in_any_chunks(preamble: bytes, cuts: list[int]) -> None:
    body = preamble + OPTION + FILE_HEAD + b"image" + END
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]

    upload = read([body[start:end] for start, end in pairwise(edges)], FORM)

    assert upload == Upload((UploadedFile(b"image", "a"),), (("colors", "2"),))


def test_a_preamble_may_end_with_a_line_feed_alone() -> None:
    assert read([b"A message.\n", FILE_HEAD + IMAGE, END], FORM).image == IMAGE


@pytest.mark.parametrize(("end", "told"), [(b"\n", "CRLF"), (b" \r\n", "White space"), (b"\t\r\n", "White space")])
@pytest.mark.parametrize("cut", [3, 4, 50])
def test_a_wrong_line_end_is_told(end: bytes, told: str, cut: int) -> None:
    body = (FILE_HEAD + IMAGE + END).replace(b"\r\n", end)
    with pytest.raises(MalformedUpload, match=told):
        read([body[:cut], body[cut:]], FORM)


@pytest.mark.parametrize("coding", ["Content-Transfer-Encoding: base64", "content-encoding: gzip"])
def test_a_coded_part_is_named(coding: str) -> None:
    name, value = coding.split(": ")
    with pytest.raises(UnsupportedFormat, match=f"(?i)has the {name} '{value}'.*as they are"):
        read([START + f'; filename="a"\r\n{coding}\r\n\r\n'.encode() + IMAGE, END], FORM)


@pytest.mark.parametrize("coding", ["Content-Transfer-Encoding: Binary", "content-encoding: identity"])
def test_a_plain_part_is_read(coding: str) -> None:
    assert read([START + f'; filename="a"\r\n{coding}\r\n\r\n'.encode() + IMAGE, END], FORM).image == IMAGE


def test_the_charset_field_of_browsers_is_no_option() -> None:
    charset = OPTION.replace(b"colors", b"_charset_").replace(b"2", b"utf-8")
    assert read([charset, FILE_HEAD + IMAGE, END], FORM).form_options == ()


@pytest.mark.parametrize("kind", ["mixed", "related", "alternative"])
def test_another_multipart_is_named(kind: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"'multipart/{kind}'.*form-data"):
        read([FILE_HEAD + IMAGE, END], FORM.replace("form-data", kind))


@pytest.mark.parametrize("body", [b"--Y\r\n", b"no form", IMAGE, b""])
def test_a_body_without_the_announced_boundary_is_told(body: bytes) -> None:
    with pytest.raises(MalformedUpload, match="boundary that its Content-Type announces"):
        read([body], FORM)


# Content-Encoding


def with_deflate(data: bytes) -> bytes:
    return zlib.compress(data)


CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "X-GZIP": gzip.compress, "deflate": with_deflate}


@given(st.sampled_from(sorted(CODINGS)), st.lists(st.integers(0, 5000), max_size=5))
def test_a_compressed_body_is_decoded_in_any_chunks(coding: str, cuts: list[int]) -> None:
    body = CODINGS[coding](IMAGE)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]

    assert read([body[a:b] for a, b in pairwise(edges)], "image/png", encoding=coding).image == IMAGE


def test_a_compressed_form_and_several_members_are_decoded() -> None:
    assert read([gzip.compress(FILE_HEAD + IMAGE + END)], FORM, encoding="gzip").image == IMAGE
    assert read([gzip.compress(b"one ") + gzip.compress(b"two")], "image/png", encoding="gzip").image == b"one two"
    assert read([b"plain"], "image/png", encoding="identity").image == b"plain"
    assert read([], "image/png", encoding="gzip").image == b""


@pytest.mark.parametrize("size", [10_001, 100_000_000])
def test_the_limit_counts_decoded_bytes(size: int) -> None:
    """The second is 100 kB before decoding, which the limit does not refuse either: the first chunk exceeds it."""
    body = gzip.compress(bytes(size))

    with pytest.raises(ImageTooLarge, match="10000 bytes"):
        read([body[:5000]], "image/png", encoding="gzip")
    assert read([gzip.compress(bytes(10_000))], "image/png", encoding="gzip").image == bytes(10_000)


@pytest.mark.parametrize("body", [gzip.compress(IMAGE)[:-9], b"\x89PNG not gzip", gzip.compress(IMAGE) + b"more"])
def test_a_damaged_coding_is_told(body: bytes) -> None:
    with pytest.raises(MalformedUpload, match="not whole gzip data"):
        read([body], "image/png", encoding="gzip")


@pytest.mark.parametrize("coding", ["identity, gzip", "gzip,identity", " GZIP ,", "gzip"])
def test_identity_beside_a_coding_changes_nothing(coding: str) -> None:
    assert read([gzip.compress(IMAGE)], "image/png", encoding=coding).image == IMAGE


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "gzip, identity, deflate", "compress"])
def test_another_coding_is_named(coding: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"'{coding}'.*gzip"):
        read([b"x"], "image/png", encoding=coding)


@pytest.mark.parametrize(("length", "is_text"), [(4096, True), (4097, False)])
def test_a_text_in_the_field_file_has_4096_bytes_at_most(length: int, is_text: bool) -> None:
    body = [START + b"\r\n\r\n" + b"x" * length, END]

    if is_text:
        with pytest.raises(BadUpload, match="holds text"):
            read(body, FORM)
    else:
        assert len(read(body, FORM).image) == length


@pytest.mark.parametrize("head", [b'; filename=""\r\n\r\n', b"\r\nContent-Type: text/plain\r\n\r\n"])
def test_a_text_that_is_declared_as_a_file_is_one(head: bytes) -> None:
    assert read([START + head + b"photo.jpg", END], FORM).image == b"photo.jpg"


@pytest.mark.parametrize(("length", "accepted"), [(16384, True), (16385, False)])
def test_a_field_has_16384_bytes_at_most(length: int, accepted: bool) -> None:
    body = [OPTION.replace(b"\r\n2\r\n", b"\r\n" + b"2" * length + b"\r\n"), FILE_HEAD, IMAGE, END]

    if accepted:
        assert read(body, FORM, max_bytes=1 << 15).form_options == (("colors", "2" * length),)
    else:
        with pytest.raises(MalformedUpload):
            read(body, FORM, max_bytes=1 << 15)


@pytest.mark.parametrize(("files", "most"), [(1, 1), (3, 3)])
def test_as_many_images_as_the_limit_are_accepted(files: int, most: int) -> None:
    parts = [(FILE_HEAD + b"image\r\n") for _ in range(files)]

    assert len(read([*parts, b"--X--\r\n"], FORM, max_images=most).files) == files
    told = "send one image per request" if most == 1 else f"send at most {most} images"
    with pytest.raises(BadUpload, match=f"holds {files + 1} files; {told}"):
        read([*parts, parts[0], b"--X--\r\n"], FORM, max_images=most)
