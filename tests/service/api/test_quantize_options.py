"""Options of /quantize beyond the number of colors: palettes, goals, formats, sizes, names and entity tags."""

import io
import json
import zipfile
from email import message_from_bytes
from typing import Any

import numpy as np
import pytest
from httpx import AsyncClient, Response
from PIL import Image

from tests.service.fakes import FakeEngine
from tests.service.images import DRAWING, encoded, pixels_of, ramp

pytestmark = pytest.mark.anyio

LARGE = encoded(ramp(300, 200))


def form(*names: str, data: bytes = DRAWING) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (name, data)) for name in names]


def detail(response: Response) -> str:
    assert response.status_code == 422, response.text
    return str(response.json()["detail"])


async def quantize(client: AsyncClient, data: bytes = DRAWING, accept: str = "*/*", **options: Any) -> Response:
    return await client.post("/quantize", content=data, params=options, headers={"Accept": accept})


@pytest.mark.parametrize("method", ["nearest", "halftone"])
async def test_a_palette_is_written_in_its_order(client: AsyncClient, method: str) -> None:
    response = await quantize(client, palette="#fff,000000,f00", method=method)
    image = Image.open(io.BytesIO(response.content))
    assert image.getpalette()[:9] == [255, 255, 255, 0, 0, 0, 255, 0, 0]  # type: ignore[index]
    assert response.headers["x-method"] == method


async def test_a_palette_goes_to_the_method_of_photographs(client: AsyncClient, engine: FakeEngine) -> None:
    await quantize(client, palette="gameboy", dither="true")
    (selection,) = engine.quantized
    assert (selection.method, selection.dither) == ("refined_fast", True)
    assert selection.palette is not None and len(selection.palette) == 4


async def test_unused_entries_of_a_palette_do_not_count_as_colors(client: AsyncClient) -> None:
    gray = encoded(np.full((8, 8, 3), 250, np.uint8))
    response = await quantize(client, gray, palette="#fff,000,f00", method="nearest")
    assert response.headers["x-colors"] == "1"


@pytest.mark.parametrize("as_file", [True, False])
async def test_a_gimp_palette_comes_as_a_field_or_as_a_file(client: AsyncClient, as_file: bool) -> None:
    text = "GIMP Palette\nName: two\n#\n0 0 0 black\n255 255 255\twhite\n"
    files: Any = form("a.png")
    if as_file:
        files.append(("palette", ("two.gpl", text.encode())))
    data = {"method": "nearest"} | ({} if as_file else {"palette": text})
    response = await client.post("/quantize", files=files, data=data)
    assert response.status_code == 200, response.text
    assert Image.open(io.BytesIO(response.content)).getpalette()[:6] == [0, 0, 0, 255, 255, 255]  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"palette": "#000,#fff", "colors": "3"}, "the palette has 2 colors"),
        ({"palette": "#000,#fff", "colors": "auto"}, "the palette has 2 colors"),
        ({"palette": "#000"}, "'palette'"),
        ({"palette": ",".join(f"{number:06x}" for number in range(257))}, "'palette'"),
        ({"palette": "#000,#000"}, "'palette'"),
        ({"palette": "sunset"}, "'palette'"),
        ({"palette": "#000,#fff", "method": "kmeans"}, "does not support `palette`"),
        ({"palette": "#000,#fff", "method": "colorcnn"}, "does not support `palette`"),
        ({"method": "nearest"}, "needs `palette`"),
        ({"palette": "#000,#fff", "shared_palette": "true"}, "leave out `palette`"),
        ({"colors": "auto", "shared_palette": "true"}, "needs a number of colors"),
        ({"colors": "auto", "recognize": "false"}, "need a classifier"),
        ({"keep": "0.9", "recognize": "false"}, "need a classifier"),
        ({"scale": "auto"}, "needs `max_bytes`"),
        ({"colors": "many"}, "a number in plain digits, or auto"),
        ({"colors": "257"}, "'colors'"),
        ({"colors": "4.5"}, "'colors'"),
        ({"keep": "0"}, "'keep'"),
        ({"keep": "1.01"}, "'keep'"),
        ({"max_bytes": "0"}, "'max_bytes'"),
        ({"max_bytes": "-1"}, "'max_bytes'"),
        ({"scale": "0"}, "'scale'"),
        ({"scale": "2"}, "'scale'"),
        ({"max_side": "0"}, "'max_side'"),
        ({"alpha": "yes"}, "'alpha'"),
        ({"skip_if_larger": "perhaps"}, "'skip_if_larger'"),
        ({"format": "gif"}, "'format'"),
    ],
)
async def test_a_bad_option_is_named_with_what_it_may_be(
    client: AsyncClient, options: dict[str, str], hint: str
) -> None:
    assert hint in detail(await client.post("/quantize", content=DRAWING, params=options))


async def test_a_value_that_fits_no_alternative_is_explained_once(client: AsyncClient) -> None:
    assert detail(await quantize(client, colors="300")).count("'colors'") == 1


async def test_the_fewest_colors_that_keep_the_label_are_found(client: AsyncClient) -> None:
    response = await quantize(client, colors="auto", keep="0.5")
    assert (response.headers["x-colors"], response.headers["x-goals-met"]) == ("2", "true")


def half_dark() -> bytes:
    """An image that is light on the whole, most of whose pixels two equal steps of gray turn black."""
    pixels = np.full((10, 10, 3), 120, np.uint8)
    pixels[:4] = 255
    return encoded(pixels)


async def test_a_goal_that_the_number_of_colors_misses_is_reported(client: AsyncClient) -> None:
    response = await quantize(client, half_dark(), colors="2", keep="0.5")
    assert (response.headers["x-label-before"], response.headers["x-label-after"]) == ("light", "dark")
    assert response.headers["x-goals-met"] == "false"


async def test_more_colors_are_taken_where_two_lose_the_label(client: AsyncClient) -> None:
    response = await quantize(client, half_dark(), colors="auto", keep="0.5")
    assert response.headers["x-goals-met"] == "true"
    assert response.headers["x-label-after"] == "light"


async def test_a_file_has_at_most_the_bytes_that_the_request_allows(client: AsyncClient) -> None:
    free = await quantize(client, LARGE, colors="64", method="median_cut")
    limit = len(free.content) // 2
    response = await quantize(client, LARGE, colors="64", method="median_cut", max_bytes=str(limit))
    assert len(response.content) <= limit
    assert response.headers["x-goals-met"] == "true"
    assert 2 <= int(response.headers["x-colors"]) < int(free.headers["x-colors"])


async def test_a_packet_of_255_bytes_holds_a_smaller_picture(client: AsyncClient) -> None:
    noise = encoded(np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8))
    response = await quantize(client, noise, method="kmeans", max_bytes="255", scale="auto")
    image = Image.open(io.BytesIO(response.content))
    assert len(response.content) <= 255
    assert 8 <= image.width < 300 and abs(image.width / image.height - 1.5) < 0.2


async def test_a_limit_that_no_file_reaches_is_an_error_that_says_what_to_do(client: AsyncClient) -> None:
    response = await quantize(client, LARGE, max_bytes="100", method="kmeans")
    assert response.json()["type"] == "urn:colorcnn:problem:does-not-fit"
    assert "scale=auto" in detail(response)
    assert "No picture fits" in detail(await quantize(client, max_bytes="10", scale="auto", method="kmeans"))


@pytest.mark.parametrize(("options", "size"), [({"scale": "0.5"}, (150, 100)), ({"max_side": "60"}, (60, 40))])
async def test_a_picture_is_scaled_before_it_is_quantized(
    client: AsyncClient, options: dict[str, str], size: tuple[int, int]
) -> None:
    response = await quantize(client, LARGE, **options)
    assert Image.open(io.BytesIO(response.content)).size == size


async def test_a_picture_within_max_side_stays(client: AsyncClient) -> None:
    response = await quantize(client, LARGE, max_side="300")
    assert Image.open(io.BytesIO(response.content)).size == (300, 200)
    assert "x-image-notes" not in response.headers


async def test_lossless_webp_shows_the_pixels_of_the_png(client: AsyncClient) -> None:
    plain, webp = await quantize(client), await quantize(client, accept="image/webp")
    assert webp.headers["content-type"] == "image/webp"
    assert np.array_equal(pixels_of(webp.content), pixels_of(plain.content))


async def test_raw_indices_are_packed_and_described(client: AsyncClient) -> None:
    response = await quantize(client, colors="3", format="raw")
    width, height, bits = (int(response.headers[f"x-{name}"]) for name in ("width", "height", "bit-depth"))
    palette = [tuple(bytes.fromhex(color[1:])) for color in response.headers["x-palette"].split(",")]
    samples = np.unpackbits(np.frombuffer(response.content, np.uint8)).reshape(height, -1, bits)
    indices = (samples @ (1 << np.arange(bits)[::-1]))[:, :width]
    expected = pixels_of((await quantize(client, colors="3")).content)
    assert np.array_equal(np.array(palette, np.uint8)[indices], expected)


@pytest.mark.parametrize(
    ("path", "format", "media_type"),
    [
        ("/quantize", "png", "image/png"),
        ("/quantize", "json", "application/json"),
        ("/classify", "png", "image/png"),
        ("/compress", "bpg", "image/bpg"),
        ("/compress", "png", "image/png"),
        ("/benchmark", "html", "text/html; charset=utf-8"),
        ("/benchmark", "ndjson", "application/x-ndjson"),
    ],
)
@pytest.mark.parametrize("in_query", [True, False])
async def test_the_option_format_overrides_accept(
    client: AsyncClient, path: str, format: str, media_type: str, in_query: bool
) -> None:
    place: dict[str, Any] = {"params" if in_query else "data": {"format": format}}
    accept = "text/plain" if in_query else "*/*"
    response = await client.post(path, files=form("a.png"), headers={"Accept": accept}, **place)
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)


async def test_the_result_is_named_after_the_upload(client: AsyncClient) -> None:
    response = await client.post("/quantize", files=form("red door.jpeg"), data={"colors": "2"})
    assert response.headers["content-disposition"] == 'inline; filename="red door-k2.png"'


async def test_a_file_that_is_not_smaller_is_said_to_be(client: AsyncClient) -> None:
    first = await quantize(client)
    again = await quantize(client, first.content)
    assert again.headers["x-larger-than-upload"] == "true"
    assert "no fewer bytes" in again.headers["x-image-notes"]
    assert int(again.headers["x-upload-bytes"]) == len(first.content)
    assert "x-larger-than-upload" not in first.headers


async def test_a_file_that_is_not_smaller_is_skipped_on_request(client: AsyncClient) -> None:
    small = (await quantize(client)).content
    skipped = await quantize(client, small, skip_if_larger="true")
    assert (skipped.status_code, skipped.content) == (204, b"")
    assert "no fewer bytes" in skipped.headers["x-image-notes"]
    assert (await quantize(client, skip_if_larger="true")).status_code == 200


async def test_a_repeated_upload_is_not_sent_again_nor_worked_on(client: AsyncClient, engine: FakeEngine) -> None:
    first = await quantize(client, LARGE)
    worked = len(engine.quantized)
    repeated = await client.post("/quantize", content=LARGE, headers={"If-None-Match": first.headers["etag"]})
    assert (repeated.status_code, repeated.content) == (304, b"")
    assert repeated.headers["etag"] == first.headers["etag"]
    assert len(engine.quantized) == worked
    other = await client.post("/quantize?colors=2", content=LARGE, headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


async def test_several_images_come_as_a_zip_in_order_under_their_names(client: AsyncClient) -> None:
    response = await client.post("/quantize", files=form("a.png", "b.png", "a.png"), data={"colors": "2"})
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert response.headers["content-type"] == "application/zip"
    assert archive.namelist() == ["a-k2.png", "b-k2.png", "a-k2-2.png"]
    assert archive.testzip() is None
    assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}
    assert Image.open(io.BytesIO(archive.read("b-k2.png"))).size == (40, 24)


async def test_an_image_that_fails_does_not_affect_the_others(client: AsyncClient) -> None:
    files = [*form("good.png"), ("file", ("../bad.png", b"no image")), *form("late.png")]
    response = await client.post("/quantize", files=files)
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.namelist() == ["good-k4.png", "bad.png.problem.json", "late-k4.png"]
    assert json.loads(archive.read("bad.png.problem.json"))["status"] == 400
    assert (response.headers["x-images"], response.headers["x-images-failed"]) == ("3", "1")


async def test_several_images_come_as_parts_or_reports(client: AsyncClient) -> None:
    files = [*form("a.png"), ("file", ("bad.png", b"no image"))]
    mixed = await client.post("/quantize", files=files, headers={"Accept": "multipart/mixed"})
    head = f"Content-Type: {mixed.headers['content-type']}\r\n\r\n".encode()
    parts: Any = message_from_bytes(head + mixed.content).get_payload()
    assert [part.get_content_type() for part in parts] == ["image/png", "application/problem+json"]
    assert parts[0]["X-Colors"] == "4"

    reports = (await client.post("/quantize", files=files, data={"format": "json"})).json()["images"]
    assert [each["name"] for each in reports] == ["a.png", "bad.png"]
    assert reports[0]["report"]["filename"] == "a-k4.png" and reports[0]["error"] is None
    assert reports[1]["report"] is None and reports[1]["error"]["status"] == 400


async def test_one_file_as_the_answer_to_several_images_is_refused(client: AsyncClient) -> None:
    two = form("a.png", "b.png")
    response = await client.post("/quantize", files=two, data={"format": "png"})
    assert "format=zip" in detail(response)
    response = await client.post("/quantize", files=two, headers={"Accept": "image/png"})
    assert response.status_code == 406


@pytest.mark.parametrize("method", [None, "nearest", "halftone", "kmeans", "median_cut", "median_cut_dither", "octree"])
async def test_several_images_share_one_palette(client: AsyncClient, method: str | None) -> None:
    bright, dark = (ramp(30, 20) // 2 + offset for offset in (0, 127))
    files = [("file", (name, encoded(each))) for name, each in (("b.png", bright), ("d.png", dark))]
    data = {"colors": "5", "shared_palette": "true", "format": "json"} | ({"method": method} if method else {})
    response = await client.post("/quantize", files=files, data=data)
    first, second = (each["report"]["palette"] for each in response.json()["images"])
    if method is None:  # the fake engine has a palette of its own
        assert first and second
    else:
        assert first == second and 2 <= len(first) <= 5


async def test_a_network_shares_no_palette(client: AsyncClient) -> None:
    data = {"shared_palette": "true", "method": "colorcnn"}
    assert "shared_palette" in detail(await client.post("/quantize", files=form("a.png", "b.png"), data=data))
