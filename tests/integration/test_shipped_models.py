"""The service with the models that ship with the project."""

import base64

import numpy as np
import pytest
from httpx import Client

from models.codecs import bpg
from tests.service.images import PHOTO, encoded, opened, pixels_of, ramp
from tests.service.processes import ROOT

AS_JSON = {"Accept": "application/json"}


def test_a_classifier_and_a_quantizer_have_defaults(client: Client) -> None:
    report = client.get("/models").json()

    assert {model["kind"] for model in report["models"] if model["default"]} == {"classifier", "colorcnn"}
    assert (report["defaults"]["small"]["method"], report["defaults"]["photograph"]["method"]) == (
        "colorcnn",
        "refined_fast",
    )
    assert report["transfer_classifiers"] == ["imagenet-efficientnet-lite0", "imagenet-efficientnet-lite1"]
    guides = {model["name"]: model["guides"] for model in report["models"] if model["guides"]}
    assert set(guides) == {"cifar10-resnet9-colorcnn", "cifar10-resnet9-colorcnn-one-pass"}
    assert {guide for each in guides.values() for guide in each} <= {model["name"] for model in report["models"]}


def test_a_model_supports_fidelity_where_it_reports_so(client: Client) -> None:
    quantizers = [model for model in client.get("/models").json()["models"] if model["kind"] == "colorcnn"]

    options = [{"model": model["name"], "fidelity": "1"} for model in quantizers]
    statuses = [client.post("/quantize", content=PHOTO, params=option).status_code for option in options]
    assert statuses == [200 if model["fidelity"] else 422 for model in quantizers]


@pytest.mark.parametrize(("colors", "depth"), [(2, 1), (4, 2), (16, 4), (64, 8)])
def test_a_photo_becomes_an_indexed_png_of_the_smallest_bit_depth(client: Client, colors: int, depth: int) -> None:
    response = client.post("/quantize", files={"file": ("photo.jpg", PHOTO)}, data={"colors": str(colors)})

    image = opened(response.content)
    assert (image.mode, image.size, response.content[24]) == ("P", (40, 24), depth)
    assert int(response.headers["x-colors"]) == len(image.getcolors() or ()) <= colors
    assert response.headers["x-label-before"]


def test_a_real_photo_becomes_a_one_bit_png(client: Client) -> None:
    cat = (ROOT / "tests" / "photos" / "cat.jpg").read_bytes()

    response = client.post("/quantize", files={"file": ("cat.jpg", cat)}, data={"colors": "2"})

    image = opened(response.content)
    assert (image.mode, image.size, response.content[24]) == ("P", (451, 300), 1)
    labels = [response.headers[f"x-label-{when}"] for when in ("before", "after")]
    assert (response.headers["x-method"], labels) == ("refined_fast", ["tiger cat", "tiger cat"])
    assert response.headers["x-recognizers"] == "imagenet-efficientnet-lite0, imagenet-efficientnet-lite1"


def test_a_photo_is_refined_in_one_pass_by_the_prefilter_of_its_classifier(client: Client) -> None:
    cat = (ROOT / "tests" / "photos" / "cat.jpg").read_bytes()
    options = {"colors": "2", "method": "refined_one_pass"}
    response = client.post("/quantize", content=cat, params=options)
    assert opened(response.content).size == (451, 300)
    assert response.headers["x-label-after"] in ("tiger cat", "Egyptian cat")  # the original looks like both
    assert response.headers["x-recognizers"] == "imagenet-efficientnet-lite0"
    halftone, faithful = (
        client.post("/quantize", content=cat, params={"colors": "2", **more}).content
        for more in ({"method": "halftone"}, {"method": "refined_one_pass", "fidelity": "1", "dither": "true"})
    )
    assert halftone == faithful != response.content
    other = client.post("/quantize", content=cat, params=options | {"model": "cifar10-resnet9"})
    assert other.status_code == 422 and "has no prefilter" in other.json()["detail"]
    compared = client.post("/benchmark", content=cat, params={"methods": "refined_one_pass", "colors": "2"})
    assert [row["method"] for row in compared.json()["rows"]] == ["refined_one_pass"]


def test_a_refined_photo_of_full_fidelity_is_its_halftone(client: Client) -> None:
    cat = (ROOT / "tests" / "photos" / "cat.jpg").read_bytes()
    halftone, faithful, again, refined = [
        client.post("/quantize", content=cat, params={"colors": "2", **options}).content
        for options in (
            {"method": "halftone"},
            *({"method": "refined_fast", "dither": "true", "fidelity": fidelity} for fidelity in ("1", "1", "0")),
        )
    ]

    assert halftone == faithful == again != refined


def test_the_classifier_of_photographs_recognizes_the_file(client: Client) -> None:
    cat = (ROOT / "tests" / "photos" / "cat.jpg").read_bytes()
    quantized = client.post("/quantize", content=cat, params={"colors": "2"})

    answers = [
        client.post("/classify", content=data, params={"top_k": "1"}).json() for data in (cat, quantized.content)
    ]

    assert {each["model"] for each in answers} == {"imagenet-efficientnet-lite0"}
    assert [each["predictions"][0]["label"] for each in answers] == ["tiger cat", "tiger cat"]


@pytest.mark.parametrize("photo", ["cat-32.png", "cat.jpg"])
def test_a_refined_image_is_recognized_like_the_original(client: Client, photo: str) -> None:
    """Images of the classifier's size share a batch; images of another size do not."""
    cat = (ROOT / "tests" / "photos" / photo).read_bytes()
    options = {"colors": "2", "method": "colorcnn_refined"}

    report = client.post("/quantize", content=cat, params=options, headers=AS_JSON).json()

    recognition = report["recognition"]
    assert report["method"] == "colorcnn_refined" and len(report["palette"]) == 2
    assert recognition["kept"]
    assert abs(recognition["before"]["probability"] - recognition["after"]["probability"]) < 0.1


def test_a_refined_image_follows_its_guides_unless_it_is_a_code(client: Client) -> None:
    cat = (ROOT / "tests" / "photos" / "cat-32.png").read_bytes()
    options = {"colors": "2", "method": "colorcnn_refined"}

    guided, code = (
        client.post("/quantize", content=cat, params=options | more) for more in ({}, {"transferable": "false"})
    )

    names = ["cifar10-resnet9", "cifar10-resnet9-noise", "cifar10-allconv-noise"]
    assert guided.headers["X-Recognizers"] == ", ".join(names)
    assert code.headers["X-Recognizers"] == names[0]
    assert guided.content != code.content


def test_recognition_names_classes_of_the_classifier(client: Client) -> None:
    classifiers = {model["name"]: model["classes"] for model in client.get("/models").json()["models"]}

    report = client.post("/quantize", content=PHOTO, headers=AS_JSON).json()

    recognition = report["recognition"]
    assert recognition["before"]["label"] in classifiers[recognition["model"]]
    assert recognition["kept"] is (recognition["before"]["label"] == recognition["after"]["label"])


def test_the_same_upload_gives_the_same_bytes(client: Client) -> None:
    first, second = (client.post("/quantize", content=PHOTO).content for _ in range(2))

    assert first == second


def test_probabilities_of_all_classes_sum_to_one(client: Client) -> None:
    report = client.post("/classify", content=PHOTO, params={"top_k": "1000"}).json()

    assert sum(prediction["probability"] for prediction in report["predictions"]) == pytest.approx(1, abs=1e-3)


def test_the_activation_map_has_the_size_of_the_image(client: Client) -> None:
    response = client.post("/classify", content=encoded(ramp(75, 50)), headers={"Accept": "image/png"})

    assert opened(response.content).size == (75, 50)


def test_a_bpg_of_a_photo_can_be_classified_again(client: Client) -> None:
    """JSON holds the files of the other media types, and /classify accepts the file."""
    cat = (ROOT / "tests" / "photos" / "cat.jpg").read_bytes()
    whole, file, picture = [
        client.post("/compress", content=cat, params={"colors": "4", "method": "colorcnn"}, headers={"Accept": accept})
        for accept in ("application/json", "image/bpg", "image/png")
    ]
    query = {"model": whole.json()["classifier"]}
    seen = client.post("/classify", content=file.content, params=query).json()["predictions"][0]

    report = whole.json()
    quantized = report["quantized_bpg"]
    assert file.content == base64.b64decode(report["files"]["bpg"])
    np.testing.assert_array_equal(pixels_of(picture.content), bpg.decode(file.content))
    assert (report["original"]["label"], report["original"]["bytes"]) == ("cat", len(cat))
    assert (quantized["label"], quantized["probability"]) == (
        seen["label"],
        pytest.approx(seen["probability"], abs=1e-4),
    )
    assert (quantized["label"], quantized["kept"]) == ("cat", True)
    assert report["original_bpg"]["psnr"] > 35 > 25 > quantized["psnr"] > 20


def test_a_benchmark_agrees_with_the_other_endpoints(client: Client) -> None:
    """The row of an image agrees with /quantize and /classify, in each media type."""
    cat = (ROOT / "tests" / "photos" / "cat.jpg").read_bytes()
    files = [("file", ("cat.jpg", cat)), ("file", ("ramp.jpg", PHOTO))]
    network = "cifar10-resnet9-colorcnn-one-pass"  # whose classifier then classifies photographs, too
    options = {"methods": "colorcnn,median_cut", "colors": "2,4", "labels": "cat,0", "cam": "true", "model": network}
    accepts = ("application/json", "image/png", "text/html", "application/x-ndjson")
    whole, sheet, page, lines = [
        client.post("/benchmark", files=files, data=options, headers={"Accept": accept}) for accept in accepts
    ]
    query = {"colors": "2", "method": "colorcnn"}
    quantized = client.post("/quantize", content=cat, params=query, headers=AS_JSON).json()

    report = whole.json()
    first, row = report["images"][0], report["rows"][0]
    assert (first["label"], first["truth"], first["right"]) == ("cat", "cat", True)
    assert (row["model"], row["bits_per_pixel"]) == (quantized["model"], quantized["bits_per_pixel"])
    assert (row["label"], row["kept"]) == (quantized["recognition"]["after"]["label"], quantized["recognition"]["kept"])
    assert row["probability"] == pytest.approx(quantized["recognition"]["after"]["probability"], abs=1e-4)
    assert len(report["rows"]) == 2 * 2 * 2 and not any("error" in row for row in report["rows"])
    assert min(opened(sheet.content).size) > 256
    assert all(f"{row['bits_per_pixel']:.3f}" in page.text for row in report["rows"])
    assert len(lines.text.splitlines()) == 1 + 2 + 2 * 8 + 1


def test_stored_results_are_served_as_json_and_as_a_page(client: Client) -> None:
    report = client.get("/benchmark").json()
    page = client.get("/benchmark", headers={"Accept": "text/html"})

    assert report["results"]
    assert page.status_code == 200
    assert page.text.count("<svg") == 4 * len({each["quantizer"] for each in report["results"]})


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (300, 1), (7, 5), (500, 333)])
def test_images_of_any_shape_are_quantized(client: Client, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)

    response = client.post("/quantize", content=encoded(pixels), params={"colors": "3"})

    assert response.status_code == 200
    assert opened(response.content).size == shape[::-1]
