"""Transparency of /quantize: kept in the palette, or flattened over the background."""

import io
from urllib.parse import unquote

import numpy as np
import pytest
from httpx import AsyncClient, Response
from numpy.typing import NDArray
from PIL import Image

from tests.service.fakes import FakeEngine
from tests.service.images import encoded

pytestmark = pytest.mark.anyio

Layers = NDArray[np.uint8]
"""(H, W, 4) uint8, straight."""


def cut() -> Layers:
    """Noise in a frame of transparent green."""
    layers = np.full((30, 40, 4), (0, 255, 0, 0), np.uint8)
    layers[5:25, 5:35, :3] = np.random.default_rng(0).integers(0, 256, (20, 30, 3)) // (1, 3, 1)
    layers[5:25, 5:35, 3] = 255
    return layers


def faded() -> Layers:
    """One color that fades out."""
    layers = np.full((30, 256, 4), 90, np.uint8)
    layers[:, :, 3] = np.arange(256)
    return layers


async def quantize(client: AsyncClient, layers: Layers, **options: str) -> Response:
    response = await client.post("/quantize", content=encoded(layers), params={"method": "kmeans"} | options)
    assert response.status_code == 200, response.text
    return response


def rgba(response: Response) -> Layers:
    with Image.open(io.BytesIO(response.content)) as file:
        return np.asarray(file.convert("RGBA"))


@pytest.mark.parametrize("format", ["png", "webp"])
@pytest.mark.parametrize("effort", ["default", "max"])
async def test_alpha_is_kept_by_default(client: AsyncClient, format: str, effort: str) -> None:
    response = await quantize(client, cut(), colors="4", format=format, effort=effort)
    assert np.array_equal(rgba(response)[:, :, 3], cut()[:, :, 3])
    assert response.headers["x-colors"] == "4"
    assert "alpha kept" in unquote(response.headers["x-image-notes"])


async def test_no_color_of_transparent_pixels_is_in_the_palette(client: AsyncClient) -> None:
    response = await quantize(client, cut(), colors="8", format="json")
    report = response.json()
    assert "#00ff00" not in report["palette"]
    assert sorted(report["alpha"]) == [0] + [255] * 7
    assert report["counts"][report["alpha"].index(0)] == 30 * 40 - 20 * 30


async def test_grades_get_entries_of_their_own(client: AsyncClient) -> None:
    response = await quantize(client, faded(), colors="16", format="json")
    alpha = response.json()["alpha"]
    assert len(set(alpha)) == 16
    assert (min(alpha), max(alpha)) == (0, 255)


async def test_flatten_shows_the_background(client: AsyncClient) -> None:
    response = await quantize(client, cut(), colors="4", alpha="flatten", background="#010203")
    assert (rgba(response)[:, :, 3] == 255).all()
    assert "alpha composited over #010203" in unquote(response.headers["x-image-notes"])


async def test_two_colors_cannot_keep_alpha_and_say_so(client: AsyncClient) -> None:
    response = await quantize(client, cut(), colors="2")
    assert (rgba(response)[:, :, 3] == 255).all()
    assert "too few entries" in unquote(response.headers["x-image-notes"])


async def test_a_fixed_palette_gets_one_transparent_entry_at_its_end(client: AsyncClient) -> None:
    options = {"palette": "#fff,#000,#f00", "method": "nearest", "format": "json"}
    report = (await quantize(client, cut(), **options)).json()
    assert report["palette"][:3] == ["#ffffff", "#000000", "#ff0000"]
    assert report["alpha"] == [255, 255, 255, 0]


async def test_packed_indices_have_no_alpha(client: AsyncClient) -> None:
    options = {"palette": "#fff,#000", "method": "nearest", "format": "raw"}
    response = await quantize(client, cut(), **options)
    assert response.headers["x-bit-depth"] == "1"
    assert "alpha composited over #ffffff" in unquote(response.headers["x-image-notes"])


@pytest.mark.parametrize("options", [{"max_side": "20"}, {"scale": "0.5"}])
async def test_alpha_is_scaled_with_the_image(client: AsyncClient, options: dict[str, str]) -> None:
    pixels = rgba(await quantize(client, cut(), colors="8", **options))
    assert pixels.shape[:2] == (15, 20)
    assert pixels[7, 10, 3] == 255
    assert pixels[0, 0, 3] == 0
    assert (pixels[pixels[:, :, 3] > 0][:, 1] < 120).all()  # nothing of the green


async def test_an_opaque_image_has_no_note_on_alpha(client: AsyncClient) -> None:
    layers = cut()
    layers[:, :, 3] = 255
    response = await quantize(client, layers, colors="4")
    assert "x-image-notes" not in response.headers
    assert b"tRNS" not in response.content


async def test_the_classifier_sees_the_background(client: AsyncClient) -> None:
    """A picture that is transparent everywhere looks like its background, before and after."""
    clear = np.zeros((30, 40, 4), np.uint8)
    labels = []
    for background in ("#000000", "#ffffff"):
        response = await quantize(client, clear, colors="4", background=background)
        labels.append(response.headers["x-label-after"])
        assert response.headers["x-label-before"] == response.headers["x-label-after"]
        assert response.headers["x-probability-before"] == response.headers["x-probability-after"]


async def test_a_refined_method_sees_the_picture_over_its_background(client: AsyncClient, engine: FakeEngine) -> None:
    await quantize(client, cut(), method="refined_fast", background="#010203")
    backdrop = engine.quantized[-1].backdrop
    assert backdrop is not None
    assert backdrop.background == (1, 2, 3)
    assert np.array_equal(backdrop.alpha, cut()[:, :, 3])
    await quantize(client, cut(), method="colorcnn")
    assert engine.quantized[-1].backdrop is None
