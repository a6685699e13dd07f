"""`colorcnn classify`, `compress`, `compare` and `models` on the fake engine."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.service.cli.conftest import Run, opened
from tests.service.images import BPG, DRAWING


def test_classify_has_one_line_an_image(colorcnn: Run, photos: Path) -> None:
    done = colorcnn("classify", "-r", "-j", "1", "photos")
    assert done.exit_code == 1 and "3 classified; 1 failed" in done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "photos/a.png",
        "photos/b.PNG",
        "photos/below/c.jpg",
    ]
    assert sorted(photos.rglob("*-cam.png")) == []
    as_json = colorcnn("classify", "--json", "--top-k", "1", "-", input=DRAWING)
    assert len(json.loads(as_json.stdout)["predictions"]) == 1


def test_classify_draws_maps(colorcnn: Run, photos: Path) -> None:
    done = colorcnn("classify", "--cam", "top", "photos/a.png")
    assert done.exit_code == 0 and done.stdout.startswith("photos/a.png -> photos/a-cam.png: ")
    assert opened(photos / "a-cam.png").size == (40, 24)
    piped = colorcnn("classify", "--cam", "dark", "-", input=DRAWING)
    assert piped.stdout_bytes.startswith(b"\x89PNG") and piped.stderr.startswith("-: ")
    refused = colorcnn("classify", "-o", "x.png", "photos/a.png")
    assert refused.exit_code == 2 and "--cam" in refused.stderr


@pytest.mark.parametrize(
    ("file_format", "output", "magic"),
    [("bpg", "a.bpg", BPG[:4]), ("png", "a-bpg.png", b"\x89PNG"), ("json", "a.json", b"{")],
)
def test_compress_writes_bpg_and_more(
    colorcnn: Run, photos: Path, built: list[bool], file_format: str, output: str, magic: bytes
) -> None:
    done = colorcnn("compress", "-m", "wu", "-k", "2", "--qp", "40", "--format", file_format, "photos/a.png")
    assert (done.exit_code, built) == (0, [False]) and "2 colors, wu" in done.stdout
    assert (photos / output).read_bytes().startswith(magic)


def test_compress_recognizes_where_a_network_runs(colorcnn: Run, photos: Path, built: list[bool]) -> None:
    done = colorcnn("compress", "--json", "photos/a.png")
    assert built == [True] and json.loads(done.stdout)["label_before"]
    refused = colorcnn("compress", "-m", "wu", "--qp", "52", "photos/a.png")
    assert refused.exit_code == 2 and "qp" in refused.stderr


def test_compare_prints_a_table(colorcnn: Run, photos: Path) -> None:
    (photos / "broken.jpg").unlink()
    done = colorcnn("compare", "-k", "2,4", "--methods", "wu,octree", "photos")
    lines = done.stdout.splitlines()
    assert (done.exit_code, done.stderr) == (0, "")
    assert lines[0].split() == ["image", "method", "colors", "bytes", "bits/pixel", "PSNR", "SSIM", "kept", "label"]
    assert [line.split()[:3] for line in lines[1:5]] == [
        ["a.png", "wu", "2"],
        ["a.png", "wu", "4"],
        ["a.png", "octree", "2"],
        ["a.png", "octree", "4"],
    ]
    assert lines[10].startswith("mean of") and len(lines) == 15


def test_compare_writes_what_the_output_is_named_after(colorcnn: Run, photos: Path) -> None:
    arguments = ("compare", "-k", "2", "--methods", "wu", "photos/a.png", "-o")
    assert all(colorcnn(*arguments, name).exit_code == 0 for name in ("x.csv", "x.png", "x.html", "x.jsonl", "x.txt"))
    [row] = csv.DictReader(io.StringIO(Path("x.csv").read_text()))
    assert row["method"] == "wu" and json.loads(Path("x.jsonl").read_text())["bytes"] == int(row["bytes"])
    assert opened(Path("x.png")).format == "PNG" and "<html" in Path("x.html").read_text()
    assert Path("x.txt").read_text().startswith("image")
    again = colorcnn(*arguments, "x.csv")
    assert again.exit_code == 2 and "--force" in again.stderr


def test_compare_shows_what_failed_and_the_rest(colorcnn: Run, photos: Path) -> None:
    done = colorcnn("compare", "-k", "2", "--methods", "wu", "--format", "csv", "photos")
    assert done.exit_code == 1 and len(done.stdout.splitlines()) == 3
    assert done.stderr.startswith("broken.jpg: ") and len(done.stderr.splitlines()) == 1
    missing = colorcnn("compare", "missing.png")
    assert missing.exit_code == 1 and "No such file" in missing.stderr
    nothing = colorcnn("compare", "photos/below/..")
    assert nothing.exit_code in (0, 1)
    assert colorcnn("compare", "-").exit_code == 2


def test_models_lists_networks_methods_and_defaults(colorcnn: Run) -> None:
    done = colorcnn("models")
    assert done.exit_code == 0
    assert all(word in done.stdout for word in ("gray-steps", "median_cut", "photographs"))
    assert json.loads(colorcnn("models", "--json").stdout)["models"][0]["name"] == "brightness"
    unreachable = colorcnn("models", "--server", "http://127.0.0.1:1", "--timeout", "0.3")
    assert unreachable.exit_code == 1 and "cannot be reached" in unreachable.stderr
