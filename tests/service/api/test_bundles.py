"""Several results in one response: names of their files, what is left out, and the reports."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from email import message_from_bytes
from typing import Any

import numpy as np
import pytest
from starlette.responses import Response

from models.errors import BadImage
from models.palette_image import PaletteImage
from models.prediction import Prediction
from service.api import bundles
from service.api.bundles import bundle_response
from service.api.quantize_responses import file_headers, quantize_report, quantize_response
from service.http.encoded_responses import UNTOUCHED
from service.inference.quantization import Attempted, Quantized, Recognition
from service.inference.selection import Selection
from service.inference.several import Failed
from service.runtime.timing import Timings
from service.schemas.media_types import JSON, MIXED, PACKED, PNG, RAW, WEBP, ZIP

PALETTE = np.array([[0, 0, 0], [255, 0, 0], [9, 9, 9]], np.uint8)
IMAGE = PaletteImage(np.array([[0, 1, 1], [0, 0, 1]], np.uint8), PALETTE)
SEEN = Recognition("brightness", Prediction("dark", 0, 0.75), Prediction("light", 1, 0.5), 0.25)
RESULT = Quantized(
    Selection("octree", None, "brightness"),
    Attempted(IMAGE, b"12345678", None),
    "png",
    "cat.jpg",
    9,
    None,
    (),
    Timings(0.001, 0.002, 0.003, 0.004),
    {"brightness": "0" * 64, "first": "1" * 64},
)
FAILED = Failed("dog.jpg", BadImage("The file is damaged."))


def archive_of(response: Response) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(bytes(response.body)))


def test_a_zip_holds_the_files_and_the_problems() -> None:
    response = bundle_response([RESULT, FAILED, replace(RESULT, upload_name="")], ZIP, "id")

    archive = archive_of(response)
    assert archive.namelist() == ["cat-k3.png", "dog.jpg.problem.json", "image-k3.png"]
    assert archive.read("cat-k3.png") == b"12345678"
    assert json.loads(archive.read("dog.jpg.problem.json"))["instance"] == "urn:colorcnn:request:id"
    assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert {entry.external_attr for entry in archive.infolist()} == {0o644 << 16}
    assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert (response.headers["x-images"], response.headers["x-images-failed"]) == ("3", "1")
    assert response.headers["vary"] == "Accept" and response.media_type == ZIP
    assert "quantized.zip" in response.headers["content-disposition"]


@pytest.mark.parametrize(("skip", "names"), [(True, ["cat-k3.png", "dog.jpg.problem.json"]), (False, None)])
def test_files_that_are_no_smaller_are_left_out_on_request_alone(skip: bool, names: list[str] | None) -> None:
    results: list[bundles.Result] = [RESULT, replace(RESULT, upload_name="same.png", upload_bytes=8), FAILED]
    response = bundle_response(results, ZIP, "id", skip_if_larger=skip)

    assert archive_of(response).namelist() == (names or ["cat-k3.png", "same-k3.png", "dog.jpg.problem.json"])
    assert response.headers["x-images"] == "3"
    assert len(archive_of(bundle_response(results, ZIP, "id")).namelist()) == 3


def test_a_problem_without_a_name_has_its_position() -> None:
    unnamed = Failed("", BadImage("damaged"))
    names = archive_of(bundle_response([RESULT, unnamed, unnamed, unnamed], ZIP, "id")).namelist()

    assert names[1:] == ["image-2.problem.json", "image-3.problem.json", "image-4.problem.json"]


def test_equal_names_are_numbered_from_two_whatever_their_case() -> None:
    results = [replace(RESULT, upload_name=name) for name in ("a.png", "A.png", "a.jpg", "b.png")]

    assert archive_of(bundle_response(results, ZIP, "id")).namelist() == [
        "a-k3.png",
        "A-k3-2.png",
        "a-k3-3.png",
        "b-k3.png",
    ]


@pytest.mark.parametrize(
    ("given", "flat"),
    [
        *((given, "a.json") for given in ("a.json", "../a.json", "c:\\x\\a.json", "/etc/.a.json")),
        *((given, "image.problem.json") for given in ("", "..", "a/")),
    ],
)
def test_a_name_has_no_folder(given: str, flat: str) -> None:
    assert bundles._flat(given) == flat


def test_parts_have_their_headers() -> None:
    response = bundle_response([RESULT, FAILED], MIXED, "id")

    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    parts: Any = message_from_bytes(head + bytes(response.body)).get_payload()
    assert [part.get_content_type() for part in parts] == ["image/png", "application/problem+json"]
    assert [part.get_filename() for part in parts] == ["cat-k3.png", "dog.jpg.problem.json"]
    assert parts[0].get_payload(decode=True) == b"12345678" and parts[0]["X-Colors"] == "3"
    assert len(response.headers["content-type"].partition("boundary=")[2]) == 32


def test_reports_stand_beside_problems() -> None:
    response = bundle_response([RESULT, FAILED], JSON, "id")

    first, second = json.loads(bytes(response.body))["images"]
    assert (first["name"], first["error"], first["report"]["filename"]) == ("cat.jpg", None, "cat-k3.png")
    assert (second["name"], second["report"], second["error"]["status"]) == ("dog.jpg", None, 400)
    assert not UNTOUCHED.keys() & response.headers.keys()  # mostly text, which is compressed
    large = replace(RESULT, best=Attempted(IMAGE, bytes(100_000), None))
    embedded = bundle_response([large], JSON, "id")
    assert {name: embedded.headers[name] for name in UNTOUCHED} == UNTOUCHED


@pytest.mark.parametrize(
    ("media_type", "format", "name"),
    [(PNG, "png", "cat-k3.png"), (WEBP, "webp", "cat-k3.webp"), (PACKED, "packed", "cat-k3.packed")],
)
def test_one_file_has_its_media_type_and_name(media_type: str, format: Any, name: str) -> None:
    response = quantize_response(replace(RESULT, format=format), media_type)

    assert (response.media_type, bytes(response.body), response.status_code) == (media_type, b"12345678", 200)
    assert name in response.headers["content-disposition"] and "x-width" not in response.headers


def test_raw_indices_are_described() -> None:
    response = quantize_response(replace(RESULT, format="raw"), RAW)

    described = [response.headers[f"x-{name}"] for name in ("width", "height", "bit-depth", "palette")]
    assert described == ["3", "2", "2", "#000000,#ff0000,#090909"]
    assert "cat-k3.bin" in response.headers["content-disposition"]


@pytest.mark.parametrize(("skip", "upload", "status"), [(True, 8, 204), (True, 9, 200), (False, 8, 200)])
def test_a_file_that_is_no_smaller_is_skipped_on_request(skip: bool, upload: int, status: int) -> None:
    result = replace(RESULT, upload_bytes=upload)

    assert quantize_response(result, PNG, skip_if_larger=skip).status_code == status
    assert quantize_response(result, PNG).status_code == 200


@pytest.mark.parametrize(("met", "header"), [(None, None), (True, "true"), (False, "false")])
def test_goals_have_a_header_where_there_are_any(met: bool | None, header: str | None) -> None:
    headers = file_headers(replace(RESULT, goals_met=met))

    assert headers.get("X-Goals-Met") == header and quantize_report(replace(RESULT, goals_met=met)).goals_met is met


def test_headers_and_report_say_what_was_done() -> None:
    result = replace(
        RESULT,
        selection=Selection("refined", "first", "first", 0.25, ("first", "second"), dither=False),
        best=Attempted(IMAGE, b"12345678", SEEN),
        upload_bytes=8,
        notes=("a note",),
    )
    headers, report = file_headers(result), quantize_report(result)

    assert {name: headers[name] for name in headers if name.startswith("X-")} == {
        "X-Model": "first",
        "X-Model-SHA256": "1" * 64,
        "X-Method": "refined",
        "X-Colors": "3",
        "X-Bits-Per-Pixel": "10.6667",
        "X-Recognizers": "first, second",
        "X-Image-Notes": "a note; the file has no fewer bytes than the upload",
        "X-Upload-Bytes": "8",
        "X-Larger-Than-Upload": "true",
        "X-Label-Before": "dark",
        "X-Probability-Before": "0.7500",
        "X-Label-After": "light",
        "X-Probability-After": "0.5000",
    }
    assert (report.fidelity, report.dither, report.recognizers) == (0.25, False, ["first", "second"])
    assert (report.width, report.height, report.counts, report.alpha) == (3, 2, [3, 3, 0], None)
    assert report.recognition is not None and report.recognition.kept is False
    assert report.notes == ["a note", "the file has no fewer bytes than the upload"]


def test_unused_entries_of_a_fixed_palette_are_no_colors_of_the_image() -> None:
    fixed = replace(RESULT, selection=Selection("nearest", None, "x", palette=((0, 0, 0), (255, 0, 0), (9, 9, 9))))

    assert (file_headers(fixed)["X-Colors"], file_headers(RESULT)["X-Colors"]) == ("2", "3")
    assert file_headers(RESULT)["X-Model"] == "none"


def test_alpha_is_in_the_report() -> None:
    clear = PaletteImage(IMAGE.indices, PALETTE, np.array([0, 128, 255], np.uint8))

    assert quantize_report(replace(RESULT, best=Attempted(clear, b"1", None))).alpha == [0, 128, 255]
