"""Responses of /benchmark that are sent as a whole: contact sheet, page, and their negotiation."""

import pytest
from httpx import AsyncClient

from service.benchmark import job
from tests.service.benchmark_client import LIGHT, MEDIA_TYPES, SMALL, Page, post, report
from tests.service.clients import problem
from tests.service.images import DRAWING, opened

pytestmark = pytest.mark.anyio


async def test_the_sheet_has_a_column_for_each_number_of_colors_and_a_row_for_each_image(client: AsyncClient) -> None:
    one, wide, tall = [
        opened((await post(client, *images, accept="image/png", methods="colorcnn,wu", colors=colors)).content).size
        for images, colors in (((DRAWING,), "2"), ((DRAWING,), "2,4,8"), ((DRAWING, DRAWING), "2"))
    ]

    assert wide[0] > one[0] == tall[0]
    assert tall[1] > one[1] == wide[1]


async def test_the_sheet_has_its_headers(client: AsyncClient) -> None:
    response = await post(client, DRAWING, accept="image/png", **SMALL)

    image = opened(response.content)
    assert int(response.headers["x-colors"]) == len(image.getcolors(1 << 24) or ())
    bits = 8 * len(response.content) / (image.width * image.height)
    assert float(response.headers["x-bits-per-pixel"]) == pytest.approx(bits, abs=1e-4)
    assert response.headers["x-model"] == "gray-steps"
    assert response.headers["vary"] == "Accept"
    assert response.headers["server-timing"].startswith("decode;dur=")


async def test_cam_draws_activation_maps_over_the_tiles(client: AsyncClient) -> None:
    plain, heated = [
        opened((await post(client, DRAWING, accept="image/png", cam=cam, **SMALL)).content) for cam in ("false", "true")
    ]

    assert plain.size == heated.size
    assert plain.tobytes() != heated.tobytes()


async def test_the_page_holds_the_numbers_of_the_json_report_and_loads_nothing(client: AsyncClient) -> None:
    body = await report(client, DRAWING, LIGHT, labels="0,1", **SMALL)
    response = await post(client, DRAWING, LIGHT, accept="text/html", labels="0,1", **SMALL)

    page = Page(response.text)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert (page.tags.count("img"), page.tags.count("svg"), page.tags.count("script")) == (1, 3, 0)
    assert "url(" not in response.text.replace("url(#", "")
    for row in body["rows"]:
        assert f"{row['psnr']:.2f}" in page.cells and f"{row['bits_per_pixel']:.3f}" in page.cells


EVIL = '<img src=x onerror="alert(1)">&amp;.png'


async def test_names_are_escaped_everywhere(client: AsyncClient) -> None:
    files = [("file", (EVIL, DRAWING)), ("file", (EVIL, b""))]
    responses = {
        accept: await client.post("/benchmark", files=files, data=SMALL, headers={"Accept": accept})
        for accept in MEDIA_TYPES
    }

    names = [image["image"] for image in responses["application/json"].json()["images"]]
    page = Page(responses["text/html"].text)
    assert {response.status_code for response in responses.values()} == {200}
    assert names[0].startswith("<img src=x onerror=") and names[1] == f"{names[0]} (2)"
    assert {*names} < {*page.cells}
    assert page.tags.count("img") == 1


async def test_a_page_reports_a_sheet_that_would_be_too_large(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = []
    for most in (6, 5):
        monkeypatch.setattr(job, "MOST_TILES", most)
        pages.append((await post(client, DRAWING, accept="text/html", **SMALL)).text)

    assert [Page(page).tags.count("img") for page in pages] == [1, 0]
    assert ["sheet is left out" in page for page in pages] == [False, True]


@pytest.mark.parametrize("accept", ["image/jpeg", "text/plain", "application/json;q=0, image/*;q=0"])
async def test_a_request_without_an_acceptable_media_type_is_rejected(client: AsyncClient, accept: str) -> None:
    assert problem(await post(client, DRAWING, accept=accept)) == (406, "not-acceptable")
    assert problem(await client.get("/benchmark", headers={"Accept": "image/png"})) == (406, "not-acceptable")


async def test_a_browser_gets_a_page(client: AsyncClient) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

    responses = [
        await client.get("/benchmark", headers={"Accept": browser}),
        await post(client, DRAWING, accept=browser),
    ]

    assert {response.headers["content-type"] for response in responses} == {"text/html; charset=utf-8"}
