"""training/rows.py: trained networks beside published ones, from a folder of reports."""

import json
from pathlib import Path

import pytest

from training.rows import main, tables

RECIPE = 'title = "{0}"\nprotocol = "A: frozen"\ncost = "c"\nseeds = [0]\ntrainer = "{1}"\n[train]\n'


def row(method: str, model: str, colors: int, top1: float) -> dict[str, object]:
    return {"method": method, "model": model, "colors": colors, "top1": top1, "bits_per_pixel": 1.234, "psnr": 20.0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A classifier, a network with its search, and an ablation that was measured in a report of its own."""
    trainers = {"seer": "train_classifier", "ours": "train_colorcnn", "x-ablation-y": "train_colorcnn"}
    (tmp_path / "logs").mkdir()
    for name, trainer in trainers.items():
        (tmp_path / f"{name}.toml").write_text(RECIPE.format(f"The {name}", trainer))
        events = {"event": "start", "hardware": "2 cores"}, {"event": "epoch", "epoch": 3, "seconds": 120.0}
        (tmp_path / "logs" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, events)))
    head = {"dataset": "dots", "classifier": "seer", "top1_original": 0.9}
    rows = [
        row("colorcnn", "ours", 2, 0.85),
        row("colorcnn_one_pass", "ours", 2, 0.8),
        row("octree", None, 2, 0.3),  # type: ignore[arg-type]
    ]
    ablation = [row("colorcnn", "x-ablation-y", 4, 0.5)]
    reports = {
        "dots": head | {"sha256": {"seer": "a", "ours": "b"}, "rows": rows},
        "x-ablation-y": head | {"sha256": {"seer": "a", "x-ablation-y": "c"}, "rows": ablation},
        "published": {"rows": [{"title": "Theirs", "classifier": "unnamed", "epochs": None, "top1": {"2": 0.821}}]},
    }
    for name, report in reports.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    return tmp_path


def lines(folder: Path, title: str) -> list[list[str]]:
    body = tables(folder, folder)[title].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in body]


def test_networks_stand_beside_what_was_published_and_are_measured_with_their_search(folder: Path) -> None:
    theirs, ours = lines(folder, "Side by side, top-1 in %")
    assert theirs == ["Theirs", "unnamed", "-", "-", "82.1", *["-"] * 5]
    assert ours == ["The ours", "seer", "90.0", "3", "85.0", *["-"] * 5]


def test_ablations_have_a_table_of_their_own(folder: Path) -> None:
    assert lines(folder, "Ablations, top-1 in %") == [
        ["The x-ablation-y", "seer", "90.0", "3", "-", "50.0", *["-"] * 4]
    ]


def test_every_row_tells_how_it_was_made(folder: Path) -> None:
    ours, classifier, _ = lines(folder, "Every row")
    made = ["1", "2 cores", "2"]
    assert ours == ["`ours`", "dots", "seer", "A", "2", "85.0", "-5.0", "1.23", "20.0", *made]
    assert classifier == ["`seer`", "dots", "seer", "A", "-", "90.0", "-", "-", "-", *made]


def test_what_was_not_measured_or_has_no_log_is_not_shown(folder: Path) -> None:
    (folder / "logs" / "ours.jsonl").unlink()
    (folder / "x-ablation-y.json").unlink()
    assert [line[0] for line in lines(folder, "Every row")] == ["`seer`"]


def test_the_command_prints_all_of_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = main(["--results", str(folder), "--recipes", str(folder)])
    assert all(f"{title}:\n\n{body}" in text for title, body in tables(folder, folder).items())
    assert capsys.readouterr().out == text + "\n"
