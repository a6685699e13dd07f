"""README.md and RESULTS.md say what the code and the measured files say."""

import importlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from models.registry import Registry
from service.settings import environment_table

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "RESULTS.md")
METHODS = {
    "ColorCNN": "colorcnn",
    "median cut": "median_cut",
    "octree": "octree",
    "median cut + dither": "median_cut_dither",
}


def measured(name: str = "cifar10") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / "results" / f"{name}.json").read_text())
    return content


def logged(name: str) -> list[dict[str, Any]]:
    """The epochs of a shipped run."""
    rows = map(json.loads, (ROOT / "results" / "logs" / f"{name}.jsonl").read_text().splitlines())
    return [row for row in rows if row["event"] == "epoch"]


def table_after(document: str, phrase: str) -> list[list[str]]:
    """The rows of the first table after a phrase, heading first, without the rule."""
    text = (ROOT / document).read_text()
    assert phrase in text, f"{document} no longer says {phrase!r}"
    lines = text[text.index(phrase) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("*") for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def cells_of(field: str, scale: float, digits: int, offset: float = 0.0) -> list[list[str]]:
    """What a table of the JSON's rows must hold: a line for each method, a column for each K."""
    rows = measured()["rows"]
    colors = sorted({row["colors"] for row in rows})
    by_place = {(row["method"], row["colors"]): row for row in rows}
    sign = "+" if offset else ""
    return [["method", *(f"K = {k}" for k in colors)]] + [
        [title, *(f"{scale * (by_place[method, k][field] - offset):{sign}.{digits}f}" for k in colors)]
        for title, method in METHODS.items()
    ]


@pytest.mark.parametrize(("document", "phrase"), [("README.md", "Top-1 in %"), ("RESULTS.md", "Top-1 in %:")])
def test_the_accuracy_tables_are_the_measured_ones(document: str, phrase: str) -> None:
    assert table_after(document, phrase) == cells_of("top1", 100, 1)
    assert f"{100 * measured()['top1_original']:.2f} %" in (ROOT / document).read_text()


def test_the_tables_of_gaps_and_sizes_are_the_measured_ones() -> None:
    gaps = cells_of("top1", 100, 1, offset=measured()["top1_original"])
    assert table_after("RESULTS.md", "as differences to the originals") == gaps
    assert table_after("RESULTS.md", "Bits per pixel") == cells_of("bits_per_pixel", 1, 2)


def test_the_learning_curve_is_that_of_the_log() -> None:
    epochs = {str(row["epoch"]): row for row in logged("cifar10-colorcnn")}
    shown = table_after("RESULTS.md", "How the quantizer learned")
    for epoch, *cells in shown[1:]:
        assert cells == [f"{100 * epochs[epoch][f'held_out_top1_{k}']:.1f}" for k in (2, 4, 8, 16, 32, 64)]
    assert shown[-1][0] == str(max(map(int, epochs)))


def test_the_first_reading_is_told_as_it_was() -> None:
    first, second = (
        {(row["method"], row["colors"]): row["top1"] for row in measured(name)["rows"]}
        for name in ("cifar10-unfaded", "cifar10")
    )
    text = (ROOT / "RESULTS.md").read_text()
    assert f"at {100 * first['colorcnn', 64]:.2f} %, below median cut's {100 * first['median_cut', 64]:.2f} %" in text
    assert {place for place, top1 in first.items() if top1 != second[place]} == {("colorcnn", 64)}


def test_the_minutes_are_those_of_the_logs() -> None:
    classifier, quantizer = (logged(name)[-1] for name in ("cifar10-resnet9", "cifar10-colorcnn"))
    text = " ".join((ROOT / "RESULTS.md").read_text().split())
    assert f"Classifier: {classifier['seconds'] / 60:.0f} minutes, {classifier['epoch']} epochs." in text
    assert f"Quantizer: {quantizer['seconds'] / 60:.0f} minutes, {quantizer['epoch']} epochs" in text


def test_the_manifest_has_the_same_accuracy() -> None:
    registry = Registry.open()
    for entry in registry.available():
        tested = {key: value for key, value in entry.accuracy.items() if key.startswith("test_")}
        if entry.kind == "classifier":
            assert tested == {"test_top1": measured()["top1_original"]}
        else:
            ours = [row for row in measured()["rows"] if row["model"] == entry.name]
            assert tested == {f"test_top1_{row['colors']}": row["top1"] for row in ours} != {}


def test_the_settings_table_is_the_code_s() -> None:
    shown = table_after("README.md", "## Settings")
    assert shown[1:] == [[f"`{name}`", default, text] for name, default, text in environment_table()]


def commands(document: str) -> list[str]:
    return re.findall(r"python -m training\.[^`\n]*", (ROOT / document).read_text())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_training_command_is_understood(document: str) -> None:
    assert commands(document)
    for command in commands(document):
        _, _, module, *flags = shlex.split(command)
        importlib.import_module(module)._parser().parse_args(flags)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_and_every_make_target_that_is_named_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {*re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)} <= {*targets}
    for path in re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r"`((?:results|tests|models)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
