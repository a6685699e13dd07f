"""POST /quantize: uploads, options, images, headers and reports."""

import base64
import io
import re
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pytest
from httpx import AsyncClient, Response
from PIL import Image

from models.decoding.decode import ACCEPTED_FORMATS
from models.quantizers.classical.catalog import CLASSICAL
from service.inference.selection import Selection
from service.settings import Settings
from tests.service.clients import fake_app, problem, ready
from tests.service.fake_loader import gray_steps
from tests.service.fakes import NATIVE_SIZE, FakeEngine, hash_of
from tests.service.images import DRAWING, PHOTO, PHOTOGRAPH, encoded, opened, pixels_of, ramp

pytestmark = pytest.mark.anyio

AS_JSON = {"Accept": "application/json"}


async def quantize(client: AsyncClient, data: bytes = DRAWING, **options: str) -> Response:
    response = await client.post("/quantize", content=data, params=options)
    assert response.status_code == 200, response.text
    return response


async def test_a_form_gets_an_indexed_png_of_the_same_size(client: AsyncClient) -> None:
    response = await client.post("/quantize", files={"file": ("photo.jpg", PHOTO)}, data={"colors": "2"})

    image = opened(response.content)
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
    assert (image.mode, image.size) == ("P", (40, 24))
    assert response.content[24] == 1  # bit depth in IHDR
    assert len(image.getcolors() or ()) == 2


async def test_the_pixels_are_those_of_the_engine(client: AsyncClient) -> None:
    response = await quantize(client, colors="7")

    assert np.array_equal(pixels_of(response.content), gray_steps(ramp(), 7).render())


@pytest.mark.parametrize("colors", ["2", "256"])
async def test_every_number_of_colors_in_range_is_accepted(client: AsyncClient, colors: str) -> None:
    response = await quantize(client, colors=colors)

    assert int(response.headers["x-colors"]) <= int(colors)


async def test_the_default_is_four_colors_by_the_network(client: AsyncClient) -> None:
    response = await quantize(client)

    assert (response.headers["x-colors"], response.headers["x-model"]) == ("4", "gray-steps")
    assert response.content[24] == 2


async def test_the_default_method_depends_on_the_picture(client: AsyncClient, engine: FakeEngine) -> None:
    """A photograph is an image whose shorter side exceeds twice the native size of the default network, 32 here."""
    small, network = encoded(ramp(64, 90)), ("colorcnn", "gray-steps")
    responses = [await quantize(client, data) for data in (PHOTOGRAPH, small)]
    responses.append(await quantize(client, PHOTOGRAPH, model="gray-steps"))
    report = (await client.post("/quantize", content=PHOTOGRAPH, headers=AS_JSON)).json()

    seen = [(response.headers["x-method"], response.headers["x-model"]) for response in responses]
    assert seen == [("refined_fast", "second"), network, network]
    assert [response.headers.get("x-recognizers") for response in responses] == ["second, brightness", None, None]
    assert (report["method"], report["model"]) == ("refined_fast", "second")
    assert report["recognizers"] == ["second", "brightness"]
    assert report["recognition"]["model"] == "second"
    assert engine.quantized[0] == Selection("refined_fast", "second", "second", recognizers=("second", "brightness"))


async def test_photographs_have_no_defaults_of_their_own_where_the_service_is_set_so(engine: FakeEngine) -> None:
    engine.catalog = replace(engine.catalog, photographs=False)
    async with ready(fake_app(Settings(), engine)) as client:
        response = await quantize(client, PHOTOGRAPH)

    assert (response.headers["x-method"], response.headers["x-model"]) == ("colorcnn", "gray-steps")


@pytest.mark.parametrize(
    ("options", "selection"),
    [
        ({"method": "refined"}, Selection("refined", "second", "second", 0.0, ("second", "brightness"))),
        ({"model": "brightness"}, Selection("refined_fast", "brightness", "brightness", 0.0, ("brightness", "second"))),
        ({"transferable": "false"}, Selection("refined_fast", "second", "second", 0.0, ("second",))),
        (
            {"method": "refined", "dither": "false", "fidelity": "0.25"},
            Selection("refined", "second", "second", 0.25, ("second", "brightness"), False),
        ),
    ],
)
async def test_a_refined_image_is_optimized_for_the_classifiers_of_the_report(
    client: AsyncClient, engine: FakeEngine, options: dict[str, str], selection: Selection
) -> None:
    """No image is too small for a refined method, and none is batched."""
    small = encoded(ramp(NATIVE_SIZE, NATIVE_SIZE))
    report = (await client.post("/quantize", content=small, params=options, headers=AS_JSON)).json()

    assert engine.quantized == [selection] and engine.batches == []
    assert report["recognizers"] == list(selection.recognizers)
    assert (report["method"], report["model"]) == (selection.method, selection.model)
    assert (report["fidelity"], report["dither"]) == (selection.fidelity, selection.dither)


@pytest.mark.parametrize("method", ["octree", "halftone", "colorcnn"])
@pytest.mark.parametrize(("option", "value"), [("transferable", "false"), ("dither", "false"), ("dither", "true")])
async def test_options_of_refined_methods_are_rejected_elsewhere(
    client: AsyncClient, method: str, option: str, value: str
) -> None:
    for path in ("/quantize", "/compress"):
        refused = await client.post(path, content=DRAWING, params={"method": method, option: value})
        assert problem(refused) == (422, "bad-option")
        others = "'colorcnn_refined', " if option == "transferable" else ""
        expected = f"'{method}' does not support `{option}`; leave it out, or ask for {others}'refined_fast'"
        assert expected in refused.json()["detail"]


async def test_an_image_has_its_headers(client: AsyncClient) -> None:
    response = await quantize(client, colors="2")

    assert float(response.headers["x-bits-per-pixel"]) == pytest.approx(8 * len(response.content) / (40 * 24), abs=1e-4)
    assert re.fullmatch(
        r"(decode|queue|model|encode);dur=\d+\.\d(, \w+;dur=\d+\.\d){4}", response.headers["server-timing"]
    )
    assert response.headers["vary"] == "Accept"
    assert (response.headers["x-method"], response.headers["x-label-before"]) == ("colorcnn", "dark")
    before, after = (response.headers[f"x-probability-{when}"] for when in ("before", "after"))
    assert all(re.fullmatch(r"0\.\d{4}", text) for text in (before, after))
    assert "x-image-notes" not in response.headers


async def test_the_json_report_describes_the_result(client: AsyncClient) -> None:
    response = await client.post("/quantize", content=DRAWING, params={"colors": "3"}, headers=AS_JSON)

    report = response.json()
    png = base64.b64decode(report.pop("png"))
    expected = gray_steps(ramp(), 3)
    assert response.headers["content-type"] == "application/json"
    assert np.array_equal(pixels_of(png), expected.render())
    assert report.pop("bits_per_pixel") == 8 * len(png) / (40 * 24)
    recognition = report.pop("recognition")
    assert report == {
        "model": "gray-steps",
        "model_sha256": hash_of("gray-steps"),
        "method": "colorcnn",
        "fidelity": 0.0,
        "dither": None,
        "recognizers": [],
        "width": 40,
        "height": 24,
        "palette": ["#000000", "#808080", "#ffffff"],
        "counts": expected.counts().tolist(),
        "alpha": None,
        "bytes": len(png),
        "upload_bytes": len(DRAWING),
        "goals_met": None,
        "filename": "image-k3.png",
        "notes": [],
    }
    assert (recognition["model"], recognition["kept"]) == ("brightness", True)
    assert recognition["before"].keys() == {"label", "index", "probability"}


async def test_recognition_compares_before_and_after(client: AsyncClient) -> None:
    """Equal steps turn a gray just below the middle into black, and one just above it into white."""
    just_light = encoded(np.full((4, 4, 3), 129, dtype=np.uint8))

    response = await client.post("/quantize", content=just_light, params={"colors": "2"}, headers=AS_JSON)

    recognition = response.json()["recognition"]
    assert recognition["before"]["probability"] == pytest.approx(0.9 * 129 / 255)
    assert recognition["after"]["probability"] == pytest.approx(0.9)


@pytest.mark.parametrize("option", ["recognize", "recognise"])
async def test_recognition_can_be_switched_off_under_the_former_name_too(client: AsyncClient, option: str) -> None:
    picture = await client.post("/quantize", content=DRAWING, params={option: "false"})
    report = await client.post("/quantize", content=DRAWING, params={option: "false"}, headers=AS_JSON)

    assert not any(name.startswith(("x-label", "x-probability")) for name in picture.headers)
    assert report.json()["recognition"] is None


@pytest.mark.parametrize("method", CLASSICAL)
async def test_classical_methods_use_no_model(client: AsyncClient, method: str) -> None:
    picture = await quantize(client, method=method, colors="8")
    report = await client.post("/quantize", content=DRAWING, params={"method": method}, headers=AS_JSON)

    assert picture.headers["x-model"] == "none"
    assert (report.json()["model"], report.json()["method"]) == (None, method)


async def test_a_model_can_be_named(client: AsyncClient) -> None:
    assert (await quantize(client, model="gray-steps")).headers["x-model"] == "gray-steps"


@pytest.mark.parametrize(("fidelity", "value"), [("0", 0.0), ("0.25", 0.25), ("1", 1.0)])
async def test_the_engine_quantizes_with_the_fidelity_of_the_report(
    client: AsyncClient, engine: FakeEngine, fidelity: str, value: float
) -> None:
    response = await client.post("/quantize", content=DRAWING, params={"fidelity": fidelity}, headers=AS_JSON)

    assert [selection.fidelity for selection in engine.quantized] == [response.json()["fidelity"]] == [value]


async def test_a_classical_method_has_no_fidelity_but_0(client: AsyncClient) -> None:
    refused = await client.post("/quantize", content=DRAWING, params={"method": "octree", "fidelity": "0.5"})
    await quantize(client, method="octree", fidelity="0")

    assert problem(refused) == (422, "bad-option")


async def test_effort_changes_bytes_and_no_pixel(client: AsyncClient) -> None:
    data = encoded(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    fast = (await quantize(client, data, effort="fast")).content
    best = (await quantize(client, data, effort="max")).content

    assert len(best) < len(fast)
    assert np.array_equal(pixels_of(best), pixels_of(fast))


async def test_the_palette_of_the_report_has_the_order_of_the_file(client: AsyncClient) -> None:
    data = encoded(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    options = {"effort": "max", "colors": "8", "method": "kmeans"}
    report = (
        await client.post("/quantize", content=data, params=options, headers={"accept": "application/json"})
    ).json()
    with Image.open(io.BytesIO(base64.b64decode(report["png"]))) as file:
        found = file.getpalette() or []
        counts = np.bincount(np.asarray(file).ravel(), minlength=8).tolist()

    assert report["palette"] == [f"#{bytes(found[3 * i : 3 * i + 3]).hex()}" for i in range(8)]
    assert report["counts"] == counts


@pytest.mark.parametrize("background", ["#000000", "000000"])
async def test_background_shows_under_transparency(client: AsyncClient, background: str) -> None:
    clear = encoded(np.zeros((4, 4, 4), dtype=np.uint8))

    black = await quantize(client, clear, background=background, colors="2", alpha="flatten")
    white = await quantize(client, clear, colors="2", alpha="flatten")

    assert opened(black.content).convert("RGB").getpixel((0, 0)) == (0, 0, 0)
    assert opened(white.content).convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert "alpha" in unquote(black.headers["x-image-notes"])


async def test_the_json_report_has_the_notes_of_the_header(client: AsyncClient) -> None:
    clear = encoded(np.zeros((4, 4, 4), dtype=np.uint8))

    response = await client.post("/quantize", content=clear, headers=AS_JSON)

    assert "; ".join(response.json()["notes"]) == unquote(response.headers["x-image-notes"])


@pytest.mark.parametrize(
    "content_type",
    ["image/png", "image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain", ""],
)
async def test_the_format_comes_from_the_bytes_and_not_the_content_type(client: AsyncClient, content_type: str) -> None:
    response = await client.post("/quantize", content=DRAWING, headers={"Content-Type": content_type})

    assert response.status_code == 200


@pytest.mark.parametrize("image_format", ACCEPTED_FORMATS)
async def test_every_accepted_format_is_quantized(client: AsyncClient, image_format: str) -> None:
    response = await quantize(client, encoded(ramp(), image_format), colors="2")

    assert opened(response.content).size == (40, 24)


async def test_options_may_be_split_between_form_and_query(client: AsyncClient) -> None:
    response = await client.post(
        "/quantize", params={"colors": "3"}, data={"effort": "fast"}, files={"file": ("a.png", DRAWING)}
    )

    assert (response.status_code, response.headers["x-colors"]) == (200, "3")


async def test_an_image_of_one_pixel_is_quantized(client: AsyncClient) -> None:
    response = await quantize(client, encoded(np.full((1, 1, 3), 7, dtype=np.uint8)), colors="2")

    assert isinstance(image := opened(response.content), Image.Image)
    assert (image.size, response.headers["x-colors"]) == ((1, 1), "1")
