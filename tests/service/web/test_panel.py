"""The panel, the download, the code, and the comparison: all against what the service answered."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.service.images import PHOTOGRAPH, encoded, ramp
from tests.service.processes import ROOT
from tests.service.web.visitor import Visitor

Visit = Callable[..., Visitor]

PICTURE = {"name": "ramp.png", "mimeType": "image/png", "buffer": PHOTOGRAPH}


def clipboard(visitor: Visitor) -> str:
    return str(visitor.page.evaluate("navigator.clipboard.readText()"))


def test_the_panel_shows_the_report(visit: Visit) -> None:
    visitor = visit("#colors=8")
    visitor.pick({"name": "photo.bmp", "mimeType": "image/bmp", "buffer": encoded(ramp(90, 65), "BMP")})
    report = visitor.report()
    size, upload = len(base64.b64decode(report["png"])), len(encoded(ramp(90, 65), "BMP"))

    facts = dict(zip(visitor["#size dt"].all_text_contents(), visitor["#size dd"].all_text_contents(), strict=True))
    assert facts["Result"] == f"{size} bytes"
    assert facts["Upload"] == f"{upload / 1000:.1f} kB"
    assert f"({round(100 * (1 - size / upload))} %)" in facts["Saved"]
    assert facts["Bits per pixel"] == f"{report['bits_per_pixel']:.3f}"
    assert facts["Pixels"] == "90 \N{MULTIPLICATION SIGN} 65"
    assert facts["Method"] == "refined, few steps"
    assert f"{round(100 * (1 - size / upload))} % smaller" in visitor.text("#verdict")


def test_the_panel_shows_the_label_before_and_after(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(PICTURE)
    recognition = visitor.report()["recognition"]

    bars = visitor["#recognition [role=meter]"]
    assert bars.count() == 2
    for index, when in enumerate(("before", "after")):
        prediction = recognition[when]
        assert bars.nth(index).get_attribute("aria-valuenow") == str(round(100 * prediction["probability"]))
        assert (
            bars.nth(index).get_attribute("aria-label") == f"{when.capitalize()}: probability of {prediction['label']}"
        )
    assert recognition["kept"]
    assert f"still {recognition['after']['label']}" in visitor.text("#verdict")


def test_the_panel_shows_the_stages_of_the_time(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(PICTURE)

    assert visitor["#time dt"].all_text_contents() == [
        *("Decode", "Wait", "Quantize, classify", "Write", "Service", "With the transfer")
    ]
    assert all(text.endswith("s") for text in visitor["#time dd"].all_text_contents())


def test_a_press_on_a_color_copies_it(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(PICTURE)
    report = visitor.report()
    swatches = visitor["#swatches button"]
    assert swatches.count() == len(report["palette"])
    pairs = sorted(zip(report["counts"], report["palette"], strict=True), reverse=True)

    for index, (count, color) in enumerate(pairs):
        assert color in (swatches.nth(index).text_content() or "")
        assert f"{count:,}" in (swatches.nth(index).text_content() or "")
    swatches.nth(0).click()

    visitor.until(lambda: visitor.text("#announcement") == f"Copied {pairs[0][1]}")
    assert clipboard(visitor) == pairs[0][1]


def test_a_result_that_is_larger_than_the_upload_is_named_so(visit: Visit) -> None:
    visitor = visit("#colors=256&method=libimagequant")
    visitor.pick({"name": "ramp.webp", "mimeType": "image/webp", "buffer": encoded(ramp(300, 200), "WEBP")})

    assert "% larger" in visitor.text("#verdict")
    assert "larger than the upload" in visitor.text("#notes")


def test_the_download_is_the_file_of_the_service_under_a_good_name(visit: Visit, tmp_path: Path) -> None:
    visitor = visit("#colors=2")
    visitor.pick(PICTURE)

    with visitor.page.expect_download() as download:
        visitor["#download"].click()

    assert download.value.suggested_filename == "ramp-k2.png"
    download.value.save_as(tmp_path / "saved.png")
    assert (tmp_path / "saved.png").read_bytes() == base64.b64decode(visitor.report()["png"])


@pytest.mark.parametrize(("format", "ending"), [("webp", "webp"), ("raw", "bin"), ("packed", "packed")])
def test_the_result_is_saved_in_other_formats(visit: Visit, tmp_path: Path, format: str, ending: str) -> None:
    visitor = visit("#colors=3&method=median_cut")
    assert visitor["#download-webp"].is_disabled()
    visitor.pick(PICTURE)

    with visitor.page.expect_download() as download:
        visitor[f"#download-{format}"].click()

    assert download.value.suggested_filename == f"ramp-k3.{ending}"
    download.value.save_as(tmp_path / "saved")
    files = {"file": ("ramp.png", PHOTOGRAPH)}
    options = {"colors": "3", "method": "median_cut", "format": format}
    assert (tmp_path / "saved").read_bytes() == httpx.post(f"{visitor.url}/quantize", files=files, data=options).content


PROGRAMS = {"curl": "sh", "python": sys.executable, "javascript": "node"}
HOSTILE = 'it\'s a; "wild" $(name), ümlaut.png'


@pytest.mark.parametrize("name", ["ramp.png", HOSTILE])
def test_the_copied_code_makes_what_is_shown(visit: Visit, tmp_path: Path, name: str) -> None:
    visitor = visit("#colors=3&method=median_cut&background=%23102030")
    visitor.pick({**PICTURE, "name": name})
    result = visitor["#download"].get_attribute("download")
    assert result is not None
    (tmp_path / name).write_bytes(PHOTOGRAPH)

    for language, program in PROGRAMS.items():
        visitor[f"#tab-{language}"].click()
        assert visitor[f"#tab-{language}"].get_attribute("aria-selected") == "true"
        visitor["#copy-code"].click()
        visitor.until(lambda: visitor.text("#announcement") == "Copied")
        script = tmp_path / ("script.mjs" if language == "javascript" else "script")
        script.write_text(clipboard(visitor))
        visitor["#announcement"].evaluate("(region) => { region.textContent = ''; }")
        if shutil.which(program) is None or shutil.which(language if language == "curl" else program) is None:
            continue  # it is not installed
        subprocess.run([program, script.name], cwd=tmp_path, check=True, timeout=60)
        assert (tmp_path / result).read_bytes() == base64.b64decode(visitor.report()["png"])
        (tmp_path / result).unlink()


def test_the_command_for_a_folder_makes_what_is_shown_of_each_picture(visit: Visit, tmp_path: Path) -> None:
    visitor = visit("#colors=3&method=halftone&background=%23102030&palette=%23000,%23f00,%23fff")
    visitor.pick(PICTURE)
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "ramp.png").write_bytes(PHOTOGRAPH)

    visitor["#tab-folder"].click()
    code = str(visitor["#code"].evaluate("(code) => code.textContent"))
    words = shlex.split(code.replace("\\\n", "").replace("FOLDER", "photographs"))
    assert words[0] == "colorcnn"
    subprocess.run(
        [sys.executable, "-m", "service.cli.main", *words[1:]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=60,
    )

    (result,) = (tmp_path / "few-colors").rglob("*.png")
    assert result.read_bytes() == base64.b64decode(visitor.report()["png"])


def test_the_arrow_keys_go_through_the_languages(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(PICTURE)
    visitor["#tab-curl"].focus()

    for language, word in [
        ("python", "import httpx"),
        ("javascript", "openAsBlob"),
        ("folder", "colorcnn "),
        ("curl", "curl "),
    ]:
        visitor.page.keyboard.press("ArrowRight")
        assert visitor.page.evaluate("document.activeElement.id") == f"tab-{language}"
        assert word in visitor.text("#code")


def test_options_at_their_defaults_are_not_in_the_code(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(PICTURE)

    assert visitor.text("#code") == (
        f"curl --fail-with-body \\ -F file=@ramp.png \\ {visitor.url}/quantize \\ -o ramp-k4.png"
    )
