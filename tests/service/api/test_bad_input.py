"""Bad input: each kind gets the documented problem at once, and never a 500."""

import io
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from httpx import AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.errors import BadOption, ColorCNNError
from service.http.uploads import parse_options
from service.schemas.options import CompressOptions, QuantizeOptions, QuantizerOptions
from service.schemas.upload import Upload
from tests.service.clients import problem
from tests.service.images import BPG, DRAWING, PHOTO, bomb, encoded, ramp

pytestmark = pytest.mark.anyio

BOUNDARY = "multipart/form-data; boundary=X"


def eps() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(ramp()).save(buffer, "EPS")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", (400, "bad-image")),
        (b"just some text\n" * 9, (400, "bad-image")),
        (PHOTO[: len(PHOTO) // 2], (400, "bad-image")),
        (DRAWING[:-40], (400, "bad-image")),
        (b"\0" * 1000, (400, "bad-image")),
        (bomb(), (413, "too-large")),
        (encoded(ramp(), "PPM"), (415, "unsupported-format")),
        (eps(), (415, "unsupported-format")),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", (415, "unsupported-format")),
        (b"x" * 1_000_001, (413, "too-large")),
        (BPG[:-9], (400, "bad-image")),
        (BPG[:6] + b"\xff" * 4 + b"\x7f" + b"\xff" * 4 + b"\x7f" + BPG[8:], (400, "bad-image")),
        (BPG[:6] + b"\x83\xff\xff\xff\x7f" * 2 + BPG[8:], (413, "too-large")),
    ],
    ids=[
        "empty",
        "text",
        "half a JPEG",
        "cut PNG",
        "zeros",
        "bomb",
        "PPM",
        "EPS",
        "SVG",
        "too many bytes",
        "cut BPG",
        "BPG of impossible size",
        "BPG of absurd size",
    ],
)
@pytest.mark.parametrize("path", ["/quantize", "/classify", "/compress"])
@pytest.mark.parametrize("form", [False, True], ids=["raw", "form"])
async def test_bad_uploads_are_rejected_quickly(
    client: AsyncClient, path: str, form: bool, data: bytes, expected: tuple[int, str]
) -> None:
    started = time.perf_counter()

    body: Mapping[str, Any] = {"files": {"file": ("photo.jpg", data)}} if form else {"content": data}
    response = await client.post(path, **body)

    assert problem(response) == expected
    assert time.perf_counter() - started < 2  # most take milliseconds; decoding the bomb alone would take more


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"colors": "1"}, (422, "bad-option")),
        ({"colors": "257"}, (422, "bad-option")),
        ({"colors": "red"}, (422, "bad-option")),
        ({"colors": ""}, (422, "bad-option")),
        ({"colors": "-2"}, (422, "bad-option")),
        ({"colors": "2.5"}, (422, "bad-option")),
        ({"colors": "1_0"}, (422, "bad-option")),
        ({"colors": "+4"}, (422, "bad-option")),
        ({"colors": "9" * 5000}, (422, "bad-option")),
        *(
            ({"fidelity": value}, (422, "bad-option"))
            for value in ("", "-0.1", "-0", "1.1", "nan", "inf", "1e-1", "1_0", "+1", ".5", "1.", " 0.5", "0,5")
        ),
        ({"fidelity": "9" * 4000}, (422, "bad-option")),
        ({"color": "2"}, (422, "bad-option")),
        ({"effort": "much"}, (422, "bad-option")),
        ({"background": "red"}, (422, "bad-option")),
        ({"background": "#fff"}, (422, "bad-option")),
        ({"recognize": "perhaps"}, (422, "bad-option")),
        ({"recognise": "perhaps"}, (422, "bad-option")),
        ({"recognize": "true", "recognise": "true"}, (422, "bad-option")),
        ({"method": ""}, (422, "bad-option")),
        ({"model": ""}, (422, "bad-option")),
        ({"method": "magic"}, (404, "unknown-method")),
        ({"model": "nobody"}, (404, "unknown-model")),
        ({"model": "brightness", "method": "colorcnn"}, (404, "unknown-model")),
        ({"model": "gray-steps", "method": "refined"}, (404, "unknown-model")),
        ({"model": "brightness", "method": "octree"}, (422, "bad-option")),
        ({"transferable": "perhaps"}, (422, "bad-option")),
        ({"dither": "perhaps"}, (422, "bad-option")),
    ],
)
@pytest.mark.parametrize("form", [False, True], ids=["query", "form"])
async def test_bad_options_of_quantize_are_rejected(
    client: AsyncClient, form: bool, options: dict[str, str], expected: tuple[int, str]
) -> None:
    body: Mapping[str, Any] = (
        {"files": {"file": ("photo.jpg", PHOTO)}, "data": options} if form else {"content": PHOTO, "params": options}
    )
    # the parser of forms rejects a field that is longer than any option
    too_long = form and any(len(value) > 1 << 14 for value in options.values())

    assert problem(await client.post("/quantize", **body)) == ((400, "malformed-upload") if too_long else expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"top_k": "0"}, (422, "bad-option")),
        ({"top_k": "all"}, (422, "bad-option")),
        ({"top_k": "1_0"}, (422, "bad-option")),
        ({"cam": ""}, (422, "bad-option")),
        ({"colors": "2"}, (422, "bad-option")),
        ({"model": "gray-steps"}, (404, "unknown-model")),
    ],
)
async def test_bad_options_of_classify_are_rejected(
    client: AsyncClient, options: dict[str, str], expected: tuple[int, str]
) -> None:
    assert problem(await client.post("/classify", content=PHOTO, params=options)) == expected


async def test_an_option_error_names_the_option_the_value_and_the_range(client: AsyncClient) -> None:
    detail = (await client.post("/quantize", content=PHOTO, params={"colors": "257"})).json()["detail"]

    assert "colors" in detail and "257" in detail and "from 2 to 256" in detail


async def test_an_error_of_the_fidelity_explains_the_option(client: AsyncClient) -> None:
    refused = [(await client.post("/quantize", content=PHOTO, params={"fidelity": each})) for each in ("1e-1", "1.1")]

    assert all("0 serves the classifier, 1 the human eye" in response.json()["detail"] for response in refused)
    assert "such as 0.25 for the option 'fidelity', got '1e-1'" in refused[0].json()["detail"]


async def test_an_unknown_option_error_lists_the_known_ones(client: AsyncClient) -> None:
    detail = (await client.post("/quantize", content=PHOTO, params={"color": "2"})).json()["detail"]

    assert "'color'" in detail and "colors" in detail and "effort" in detail


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ([("colors", "2"), ("colors", "4")], {}),
        ([("colors", "2"), ("colors", "2")], {}),
        ([], {"colors": ["2", "4"]}),
        ([("colors", "2")], {"colors": "4"}),
        ([("colors", "2")], {"colors": "2"}),
    ],
)
async def test_an_option_given_twice_is_rejected(
    client: AsyncClient, query: list[tuple[str, str | int | float | bool | None]], form: dict[str, str | list[str]]
) -> None:
    response = await client.post("/quantize", params=query, data=form, files={"file": ("photo.jpg", PHOTO)})

    assert problem(response) == (422, "bad-option")
    assert "more than once" in response.json()["detail"]


def part(head: str, data: bytes = b"") -> bytes:
    return b"--X\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"


@pytest.mark.parametrize(
    ("body", "expected", "hint"),
    [
        (b"", (400, "malformed-upload"), "does not hold the boundary"),
        (b"--X--\r\n", (422, "bad-upload"), "no field `file`"),
        (part('name="colors"', b"2") + b"--X--\r\n", (422, "bad-upload"), "no field `file`"),
        (part('name="file"', b"photo.jpg") + b"--X--\r\n", (422, "bad-upload"), "curl -F file=@photo.jpg"),
        (part('name="image"; filename="a"', PHOTO) + b"--X--\r\n", (422, "bad-upload"), "field 'image'"),
        (part('name="file"; filename="a"', PHOTO) * 33 + b"--X--\r\n", (422, "bad-upload"), "32 images"),
        (part('name="file"; filename="a"', PHOTO) * 65 + b"--X--\r\n", (400, "malformed-upload"), "Too many files"),
        (part('name="file"; filename="a"') + b"--X--\r\n", (400, "bad-image"), "empty"),
        (part('name="file"; filename="a"', PHOTO), (400, "malformed-upload"), "closing boundary"),
        (part('name="file"; filename="a"', PHOTO)[:-90], (400, "malformed-upload"), "closing boundary"),
        (part('filename="a"', PHOTO) + b"--X--\r\n", (400, "malformed-upload"), "name"),
        (part('name="file"', b"x" * 5000) + b"--X--\r\n", (400, "bad-image"), "not an image"),
        (part('name="colors"', b"x" * 17000) + b"--X--\r\n", (400, "malformed-upload"), "16KB"),
        (part('name="colors"', b"2") * 100 + b"--X--\r\n", (400, "malformed-upload"), "Too many fields"),
        (PHOTO, (400, "malformed-upload"), ""),
        (b"--Y--\r\n", (400, "malformed-upload"), ""),
    ],
)
async def test_bad_forms_are_rejected(client: AsyncClient, body: bytes, expected: tuple[int, str], hint: str) -> None:
    response = await client.post("/quantize", content=body, headers={"Content-Type": BOUNDARY})

    assert problem(response) == expected
    assert hint in response.json()["detail"]


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 999}",
        "MULTIPART/FORM-DATA",
    ],
)
async def test_a_form_without_a_usable_boundary_is_rejected(client: AsyncClient, content_type: str) -> None:
    response = await client.post("/quantize", content=b"--X--\r\n", headers={"Content-Type": content_type})

    assert problem(response) == (400, "malformed-upload")


async def endless() -> AsyncIterator[bytes]:
    """Yield a chunked body without end; a service that does not count its bytes never responds."""
    while True:
        yield b"x" * 65536


async def test_a_chunked_body_is_cut_off_at_the_limit(client: AsyncClient) -> None:
    assert problem(await client.post("/quantize", content=endless())) == (413, "too-large")


async def endless_form() -> AsyncIterator[bytes]:
    yield b'--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    async for chunk in endless():
        yield chunk


async def test_a_chunked_form_is_cut_off_at_the_limit(client: AsyncClient) -> None:
    response = await client.post("/quantize", content=endless_form(), headers={"Content-Type": BOUNDARY})

    assert problem(response) == (413, "too-large")


@pytest.mark.parametrize(("announced", "body"), [("5", b"x" * 1_000_001), ("x", b"x" * 1_000_001), ("9" * 99, b"x")])
async def test_a_wrong_content_length_is_rejected(client: AsyncClient, announced: str, body: bytes) -> None:
    response = await client.post("/quantize", content=body, headers={"Content-Length": announced})

    assert problem(response) == (413, "too-large")


async def test_an_announced_size_is_rejected_before_the_body_is_read(client: AsyncClient) -> None:
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(True)
        yield b"x"

    response = await client.post("/quantize", content=body(), headers={"Content-Length": "1000001"})

    assert (problem(response), read) == ((413, "too-large"), [])


@pytest.mark.parametrize("accept", ["text/html", "image/jpeg", "image/png;q=0, application/json;q=0"])
@pytest.mark.parametrize("path", ["/quantize", "/classify", "/compress"])
async def test_a_request_without_an_acceptable_media_type_is_rejected(
    client: AsyncClient, path: str, accept: str
) -> None:
    response = await client.post(path, content=PHOTO, headers={"Accept": accept})

    assert problem(response) == (406, "not-acceptable")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["colors", "method", "model", "fidelity", "effort", "background", "x"]),
            st.text() | st.floats().map(str),
        ),
        max_size=4,
    )
)
def test_any_options_are_accepted_or_rejected_as_bad_options(pairs: list[tuple[str, str]]) -> None:
    try:
        options = parse_options(Upload((), tuple(pairs)), QuantizeOptions)
    except BadOption as error:
        assert str(error)
    else:
        assert options.colors == "auto" or 2 <= options.colors <= 256
        assert 0 <= options.fidelity <= 1
        assert all(0 <= value <= 255 for value in options.background_rgb())


@pytest.mark.parametrize(("given", "value"), [("", 0.0), ("0", 0.0), ("1", 1.0), ("0.25", 0.25), ("1.000", 1.0)])
@pytest.mark.parametrize("options", [QuantizeOptions, CompressOptions])
def test_fidelity_is_a_number_from_0_to_1(options: type[QuantizerOptions], given: str, value: float) -> None:
    """The default is 0."""
    pairs = (("fidelity", given),) if given else ()

    assert parse_options(Upload((), pairs), options).fidelity == value


def test_a_repeated_option_raises_an_error_with_a_message() -> None:
    with pytest.raises(ColorCNNError, match="more than once"):
        parse_options(Upload((), (("colors", "2"),), (("colors", "2"),)), QuantizeOptions)
