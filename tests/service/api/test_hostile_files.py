"""Files that are built to do harm, over HTTP: each gets its image, or the documented problem."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

import pytest
from httpx import AsyncClient
from PIL import Image

from tests.fuzz.seeds import seeds
from tests.models.icc_profiles import float_table, icc_profile, rgb_tags
from tests.models.image_files import encoded, picture, png_file, tiff_file, tiff_tags
from tests.service.clients import problem
from tests.service.images import opened

pytestmark = pytest.mark.anyio

SIDE = 16
PIXEL_ROW = b"\0\1\2"  # of a gray PNG, two pixels wide
BAD, LARGE, UNSUPPORTED = (400, "bad-image"), (413, "too-large"), (415, "unsupported-format")


def photo(kind: str) -> bytes:
    return encoded(Image.fromarray(picture(SIDE, SIDE)), kind)


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("run.sh", "echo")
    return buffer.getvalue()


def deflated(megabytes: int = 100) -> bytes:
    """Compress bytes to a thousandth of their size."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return png_file((2, 1), 8, 0, PIXEL_ROW, (kind, data))


def png_rows(data: bytes) -> bytes:
    """Return a PNG of two pixels around compressed image data."""
    whole = png_file((2, 1), 8, 0, b"")
    start = whole.index(b"IDAT") - 4
    chunk = b"IDAT" + data
    return whole[:start] + struct.pack(">I", len(data)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + whole[-12:]


def overwritten(data: bytes, at: int, layout: str, *numbers: int) -> bytes:
    return data[:at] + struct.pack(layout, *numbers) + data[at + struct.calcsize(layout) :]


def profile_of_elements(count: int) -> bytes:
    profile = icc_profile(b"RGB ", rgb_tags() | {b"D2B1": float_table(count)}, version=4)
    return encoded(Image.fromarray(picture(SIDE, SIDE)), "PNG", icc_profile=profile)


def gif_frames(count: int) -> bytes:
    gif = encoded(Image.new("P", (SIDE, SIDE)), "GIF")
    start = gif.index(b"\x2c\0\0\0\0")  # the descriptor of the only frame
    return gif[:start] + gif[start:-1] * count + b";"


def webp_canvas() -> bytes:
    frames = [Image.new("RGB", (SIDE, SIDE), (level, 0, 0)) for level in (0, 250)]
    webp = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    return webp[:24] + b"\xff" * 6 + webp[30:]  # 2^24 x 2^24


def pages_in_a_circle() -> bytes:
    """Return a TIFF whose first page is its own next page."""
    tiff = photo("TIFF")
    (start,) = struct.unpack_from("<I", tiff, 4)
    (tags,) = struct.unpack_from("<H", tiff, start)
    return overwritten(tiff, start + 2 + 12 * tags, "<I", start)


def tiff_strip() -> bytes:
    return tiff_file(deflated(), tiff_tags((SIDE, SIDE), [8], 1) | {259: ("H", [8]), 278: ("I", [SIDE])})


FILES: Mapping[str, tuple[Callable[[], bytes], tuple[int, int] | tuple[int, str]]] = {
    "PNG, then ZIP": (lambda: photo("PNG") + archive(), (SIDE, SIDE)),
    "GIF that is JavaScript": (lambda: b"GIF89a/*" + photo("GIF")[8:] + b"*/=1;alert(1)", (0x2A2F, SIDE)),
    "JPEG, then PDF": (lambda: photo("JPEG") + b"%PDF-1.4\n", (SIDE, SIDE)),
    "PDF, then JPEG": (lambda: b"%PDF-1.4\n" + photo("JPEG"), UNSUPPORTED),
    "text of a PNG that inflates": (lambda: png_chunk(b"zTXt", b"a\0\0" + deflated()), (2, 1)),
    "international text that inflates": (lambda: png_chunk(b"iTXt", b"a\0\1\0\0\0" + deflated()), (2, 1)),
    "profile that inflates": (lambda: png_chunk(b"iCCP", b"a\0\0" + deflated()), (2, 1)),
    "profile of 100,000 elements": (lambda: profile_of_elements(100_000), (SIDE, SIDE)),
    "PNG, then zeros": (lambda: photo("PNG") + bytes(400_000), (SIDE, SIDE)),
    "PNG of two headers": (lambda: photo("PNG")[:33] + photo("PNG")[8:], BAD),
    "rows that inflate to more than the picture": (lambda: png_rows(deflated()), (2, 1)),
    "strip that inflates to more than the picture": (tiff_strip, (SIDE, SIDE)),
    "TIFF of 10 gigapixels": (lambda: tiff_file(b"x", tiff_tags((100_000, 100_000), [8], 1)), LARGE),
    "TIFF whose pages go in a circle": (pages_in_a_circle, (SIDE, SIDE)),
    "GIF of a huge screen": (lambda: overwritten(photo("GIF"), 6, "<HH", 65535, 65535), LARGE),
    "GIF of 5000 frames": (lambda: gif_frames(5000), (SIDE, SIDE)),
    "WebP of a huge canvas": (webp_canvas, LARGE),
    "JPEG of a huge frame": (
        lambda: overwritten(photo("JPEG"), photo("JPEG").index(b"\xff\xc0") + 5, ">HH", 65500, 65500),
        LARGE,
    ),
    "BMP of a huge frame": (lambda: overwritten(photo("BMP"), 18, "<ii", 2**31 - 1, 2**31 - 1), LARGE),
    "BMP of negative width": (lambda: overwritten(photo("BMP"), 18, "<i", -SIDE), LARGE),
    "1 x 50000": (lambda: encoded(Image.new("L", (1, 50_000)), "PNG"), (1, 50_000)),
    "50000 x 1": (lambda: encoded(Image.new("L", (50_000, 1)), "PNG"), (50_000, 1)),
}
"""Function that makes each file, and the size of its image or the problem."""


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("path", ["/quantize", "/classify"])
async def test_a_hostile_file_gets_an_image_or_a_problem(client: AsyncClient, path: str, name: str) -> None:
    make, expected = FILES[name]

    response = await client.post(path, content=make(), headers={"Accept": "image/png"})

    if isinstance(expected[1], str):
        assert problem(response) == expected
    else:
        assert (response.status_code, opened(response.content).size) == (200, expected)


async def test_every_way_to_store_pixels_is_accepted(client: AsyncClient) -> None:
    """Gray, 16 bits, CMYK, a transparent palette, animations and all other files that the fuzz test starts from."""
    statuses = {name: (await client.post("/quantize", content=data)).status_code for name, data in seeds().items()}

    assert len(statuses) > 60 and set(statuses.values()) == {200}


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\windows\\win.ini", "a\0b", "\u202egnp.exe", "x" * 4000, "."])
async def test_a_file_name_is_ignored(client: AsyncClient, name: str) -> None:
    response = await client.post("/quantize", files={"file": (name, photo("PNG"), "text/html")})

    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")


@pytest.mark.parametrize("name", ["a\0b", "\u202e", "__class__", "colors[]", "Colors", "x" * 300])
@pytest.mark.parametrize("form", [False, True], ids=["query", "form"])
async def test_an_unknown_option_is_rejected(client: AsyncClient, form: bool, name: str) -> None:
    query, fields = ({}, {name: "4"}) if form else ({name: "4"}, {})

    response = await client.post("/quantize", params=query, data=fields, files={"file": ("a.png", photo("PNG"))})

    assert problem(response) == (422, "bad-option")
