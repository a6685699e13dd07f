"""POST /benchmark as JSON: rows, images, summary, options and rejected requests."""

from typing import Any

import pytest
from httpx import AsyncClient

from models.evaluation.metrics import psnr
from tests.service.benchmark_client import LIGHT, SMALL, form, post, report
from tests.service.clients import problem
from tests.service.fake_loader import gray_steps
from tests.service.fakes import hash_of
from tests.service.images import DRAWING, encoded, ramp

pytestmark = pytest.mark.anyio


async def test_rows_go_through_images_then_methods_then_colors(client: AsyncClient) -> None:
    response = await report(client, DRAWING, LIGHT, **SMALL)

    places = [(row["image"], row["method"], row["colors"]) for row in response["rows"]]
    assert places == [(name, how, k) for name in ("a.png", "b.png") for how in ("colorcnn", "octree") for k in (2, 4)]
    assert (response["model"], response["classifier"]) == ("gray-steps", "brightness")
    assert {row["model"] for row in response["rows"] if row["method"] == "octree"} == {None}


async def test_all_learned_methods_use_the_requested_model(client: AsyncClient) -> None:
    rows = (await report(client, DRAWING, methods="colorcnn,colorcnn_one_pass,octree", colors="3"))["rows"]
    assert [row["model"] for row in rows] == ["gray-steps", "gray-steps", None]


async def test_a_row_is_measured_on_the_file(client: AsyncClient) -> None:
    [row] = (await report(client, DRAWING, methods="colorcnn", colors="3"))["rows"]
    quantized = await client.post("/quantize", content=DRAWING, params={"colors": "3"})

    difference = ramp().astype(float) - gray_steps(ramp(), 3).render()
    assert row["bytes"] == len(quantized.content)
    assert row["bits_per_pixel"] == 8 * row["bytes"] / (40 * 24)
    assert row["payload_bits_per_pixel"] == 8 * (row["bytes"] - 69) / (40 * 24)
    assert row["mse"] == pytest.approx(float((difference**2).mean()))
    assert row["psnr"] == psnr(row["mse"])
    assert (row["colors_used"], row["label"], row["kept"], row["right"]) == (3, "dark", True, None)
    assert -1 <= row["ssim"] <= 1 and row["milliseconds"] > 0


async def test_images_are_described(client: AsyncClient) -> None:
    clear = encoded(ramp()[..., [0, 1, 2, 0]])

    first, second = (await report(client, LIGHT, clear, methods="octree", colors="2"))["images"]

    assert first == {
        "image": "a.png",
        "width": 40,
        "height": 24,
        "bytes": len(LIGHT),
        "classifier": "brightness",
        "classifier_sha256": hash_of("brightness"),
        "label": "light",
        "probability": pytest.approx(0.9 * float((255 - ramp() // 4).mean()) / 255),
        "truth": None,
        "right": None,
        "notes": [],
        "tile": None,
    }
    assert "alpha" in second["notes"][0]


async def test_the_summary_is_the_mean_of_the_rows(client: AsyncClient) -> None:
    response = await report(client, DRAWING, LIGHT, labels="dark,dark", **SMALL)

    for means in response["summary"]:
        rows = [row for row in response["rows"] if (row["method"], row["colors"]) == (means["method"], means["colors"])]
        assert (means["images"], len(rows)) == (2, 2)
        assert means["bytes"] == sum(row["bytes"] for row in rows) / 2
        assert means["kept"] == sum(row["kept"] for row in rows) / 2
        assert means["top1"] == sum(row["right"] for row in rows) / 2
        assert means["psnr"] == pytest.approx(psnr(sum(row["mse"] for row in rows) / 2))
    assert len(response["summary"]) == 4


async def test_a_raw_body_is_benchmarked_with_the_defaults(client: AsyncClient) -> None:
    response = (await client.post("/benchmark", content=DRAWING)).json()

    methods = ("colorcnn", "median_cut", "octree", "kmeans")
    assert [image["image"] for image in response["images"]] == ["image-1"]
    assert [(row["method"], row["colors"]) for row in response["rows"]] == [
        (m, k) for m in methods for k in (2, 4, 8, 16)
    ]


async def test_lists_may_be_split_between_repeated_options_and_the_query(client: AsyncClient) -> None:
    response = await client.post(
        "/benchmark",
        params={"colors": "8"},
        files=form(DRAWING),
        data={"colors": ["2, 4", "3"], "methods": ["octree", "wu"]},
    )

    assert [row["colors"] for row in response.json()["rows"]] == [8, 2, 4, 3] * 2


@pytest.mark.parametrize(
    ("labels", "truths"),
    [
        ("dark,light", ["dark", "light"]),
        (["1", "déjà vu"], ["light", "déjà vu"]),
        ("0, 2", ["dark", "déjà vu"]),
    ],
)
async def test_labels_are_given_by_name_or_index(
    client: AsyncClient, labels: str | list[str], truths: list[str]
) -> None:
    response = await report(client, DRAWING, LIGHT, methods="octree", colors="2", labels=labels)

    assert [image["truth"] for image in response["images"]] == truths
    assert [image["right"] for image in response["images"]] == [truths[0] == "dark", truths[1] == "light"]
    assert [row["right"] for row in response["rows"]] == [
        row["label"] == truth for row, truth in zip(response["rows"], truths, strict=True)
    ]


@pytest.mark.parametrize(
    ("options", "expected", "hint"),
    [
        ({"methods": "magic"}, (404, "unknown-method"), "magic"),
        ({"methods": "octree,"}, (422, "bad-option"), "methods"),
        ({"methods": "octree,octree"}, (422, "bad-option"), "once"),
        ({"methods": ["octree", "octree"]}, (422, "bad-option"), "once"),
        ({"model": "nobody"}, (404, "unknown-model"), "nobody"),
        ({"colors": "1"}, (422, "bad-option"), "from 2 to 256"),
        ({"colors": "2,257"}, (422, "bad-option"), "257"),
        ({"colors": "2,two"}, (422, "bad-option"), "two"),
        ({"colors": "2,1_0"}, (422, "bad-option"), "plain digits"),
        ({"colors": "2,+4"}, (422, "bad-option"), "plain digits"),
        ({"colors": "2,٤"}, (422, "bad-option"), "plain digits"),
        ({"colors": ""}, (422, "bad-option"), "colors"),
        ({"colors": "2,02"}, (422, "bad-option"), "once"),
        ({"colors": ",".join(map(str, range(2, 19)))}, (422, "bad-option"), "16"),
        ({"labels": "dark"}, (422, "bad-option"), "1 labels for 2 images"),
        ({"labels": "dark,light,dark"}, (422, "bad-option"), "3 labels for 2 images"),
        ({"labels": "dark,"}, (422, "bad-option"), "no class"),
        (
            {"labels": ["dark", "cat"]},
            (422, "bad-option"),
            "'cat' is no class; give an index from 0 to 2 or one of dark",
        ),
        ({"labels": "dark,3"}, (422, "bad-option"), "'3'"),
        ({"cam": ["true", "true"]}, (422, "bad-option"), "more than once"),
        ({"cam": "perhaps"}, (422, "bad-option"), "cam"),
        ({"color": "2"}, (422, "bad-option"), "the options are"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
async def test_bad_options_of_benchmark_are_rejected(
    client: AsyncClient, options: dict[str, Any], expected: tuple[int, str], hint: str, accept: str
) -> None:
    response = await post(client, DRAWING, LIGHT, accept=accept, **options)

    assert problem(response) == expected
    assert hint in response.json()["detail"]


async def test_an_error_in_a_list_is_reported_once(client: AsyncClient) -> None:
    detail = (await client.post("/benchmark", content=DRAWING, params={"colors": "0"})).json()["detail"]

    assert "greater than or equal to 2" in detail and "at least 1 item" not in detail


async def test_more_than_32_images_are_rejected(client: AsyncClient) -> None:
    most = await report(client, *[DRAWING] * 32, methods="octree", colors="2", labels=["0"] * 32)
    refused = await post(client, *[DRAWING] * 33)

    assert len({row["image"] for row in most["rows"]}) == 32
    assert problem(refused) == (422, "bad-upload")
    assert "33 files; send at most 32 images" in refused.json()["detail"]


@pytest.mark.parametrize(("field", "hint"), [("image", "field 'image'"), (None, "no field `file`")])
async def test_a_file_in_another_field_is_rejected(client: AsyncClient, field: str | None, hint: str) -> None:
    files = [("file", ("a.png", DRAWING)), (field, ("b.png", DRAWING))] if field else [("x", ("", b""))]
    response = await client.post("/benchmark", files=files)

    assert problem(response) == (422, "bad-upload")
    assert hint in response.json()["detail"]


async def test_a_request_without_a_body_is_rejected(client: AsyncClient) -> None:
    refused = await client.post("/benchmark", params={"methods": "octree"})

    assert problem(refused) == (422, "bad-upload")
    assert "curl -F file=@a.jpg -F file=@b.jpg" in refused.json()["detail"]


async def test_other_http_methods_are_rejected(client: AsyncClient) -> None:
    refused = await client.delete("/benchmark")
    head = await client.head("/benchmark")

    assert problem(refused) == (405, "method-not-allowed")
    assert refused.headers["allow"] == "GET, HEAD, POST"
    assert (head.status_code, head.headers["content-type"]) == (200, "application/json")
