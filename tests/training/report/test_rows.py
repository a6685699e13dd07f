"""training/report/rows.py: trained networks beside published ones, from a folder of reports."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.evaluation.report_kinds import Kind, head
from tests.training.report import reports
from training.report.rows import COLORS, main, tables

RECIPE = 'title = "{0}"\nprotocol = "A: frozen"\ncost = "c"\nseeds = {2}\ntrainer = "{1}"\n{3}[train]\n{4}'


def row(method: str, model: str | None, colors: int, top1: float) -> dict[str, Any]:
    return reports.row(method, model=model, colors=colors, top1=top1, bits_per_pixel=1.234)


def logged(epochs: int, minutes: float, **scores: float) -> str:
    events = {"event": "start", "hardware": "2 cores"}, {"event": "epoch", "epoch": epochs, "seconds": 60 * minutes}
    return "\n".join(map(json.dumps, (*events[:1], {**events[1], **scores})))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A classifier, a network with its search, and an ablation that has only the logs of two of its three seeds."""
    read = 'classifier = "seer"\n'
    (tmp_path / "seer.toml").write_text(RECIPE.format("The seer", "train_classifier", [0], "", ""))
    (tmp_path / "ours.toml").write_text(RECIPE.format("The ours", "train_colorcnn", [0], "", read))
    ablation = RECIPE.format("Less", "train_colorcnn", [3, 4, 5], "test = false\n", read + 'dataset = "dots"')
    (tmp_path / "less.toml").write_text(ablation)
    for name in ("data", "logs"):
        (tmp_path / name).mkdir()
    for name in ("seer", "ours"):
        (tmp_path / "logs" / f"{name}.jsonl").write_text(logged(3, 2.0))
    for name, share in (("less", 0.5), ("less-seed5", 0.6)):
        scores = {f"held_out_top1_{colors}": share + colors / 1000 for colors in COLORS}
        (tmp_path / "logs" / f"{name}.jsonl").write_text(logged(1, 10 * share, **scores))
    theirs = {"dataset": "dots", "title": "Theirs", "classifier": "unnamed", "epochs": None, "top1": {"2": 0.821}}
    theirs["source"] = "a paper"
    rows = [
        row("colorcnn", "ours", 2, 0.85),
        row("colorcnn_one_pass", "ours", 2, 0.8),
        row("octree", None, 2, 0.3),
    ]
    weights = {"seer": "a", "ours": "b"}
    measured = reports.report(Kind.EVALUATION, *rows, sha256=weights, top1_original=0.9)
    contents = {
        "dots": measured,
        "another-classifier": measured | {"classifier": "other", "top1_original": 0.8, "rows": rows[::2]},
        "fidelity": reports.report(Kind.FIDELITY, row("colorcnn", "ours", 2, 0.1), sha256=weights),
        "published": head(Kind.PUBLISHED) | {"about": "others", "rows": [theirs, theirs | {"dataset": "lines"}]},
        "soak": head(Kind.SOAK),
    }
    for name, report in contents.items():
        (tmp_path / "data" / f"{name}.json").write_text(json.dumps(report))
    return tmp_path


def lines(folder: Path, title: str) -> list[list[str]]:
    body = tables(folder, folder)[title].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in body]


def test_trained_networks_appear_beside_published_results_with_their_search(folder: Path) -> None:
    theirs, ours = lines(folder, "Networks on dots, top-1 in %")
    assert theirs == ["Theirs", "unnamed", "-", "-", "82.1", *["-"] * 5]
    assert ours == ["The ours", "seer", "90.0", "3", "85.0", *["-"] * 5]


def test_refined_results_have_a_separate_line(folder: Path) -> None:
    """Its report comes before the other one in the order of their names, and is of the same networks."""
    report = json.loads((folder / "data" / "dots.json").read_text())
    rows = [row("colorcnn_refined", "ours", colors, top1) for colors, top1 in ((2, 0.88), (4, 0.89))]
    (folder / "data" / "dots-refined.json").write_text(json.dumps(report | {"rows": rows}))
    _, ours, refined = lines(folder, "Networks on dots, top-1 in %")
    assert ours == ["The ours", "seer", "90.0", "3", "85.0", *["-"] * 5]
    assert refined == ["The ours, refined", "seer", "90.0", "3", "88.0", "89.0", *["-"] * 4]
    assert [line[0] for line in lines(folder, "All trained models")] == [
        "`ours`",
        "`ours`, refined",
        "`ours`, refined",
        "`seer`",
    ]


def test_ablations_show_the_mean_and_the_spread_of_their_seeds_on_held_out_images(folder: Path) -> None:
    [line] = lines(folder, "Ablations on dots, top-1 in % on the held-out part of the training set")
    assert line == ["Less", "`less`", "2", "1", "5.5", "55.2 ± 7.1", "55.4 ± 7.1", "55.8 ± 7.1", *line[8:]]


def test_every_row_shows_how_it_was_made(folder: Path) -> None:
    ours, classifier = lines(folder, "All trained models")
    made = ["1", "2 cores", "2"]
    assert ours == ["`ours`", "dots", "seer", "A", "2", "85.0", "-5.0", "1.23", "20.0", *made]
    assert classifier == ["`seer`", "dots", "seer", "A", "-", "90.0", "-", "-", "-", *made]


def test_seeds_are_shown_as_mean_and_spread(folder: Path) -> None:
    file = folder / "ours.toml"
    file.write_text(file.read_text().replace("[0]", "[0, 7, 8]"))
    (folder / "logs" / "ours-seed8.jsonl").write_text(logged(3, 5.0))
    report = json.loads((folder / "data" / "dots.json").read_text())
    rows = [row("colorcnn", "ours-seed8", 2, 0.75) | {"bits_per_pixel": 1.434, "psnr": 21.0}]
    second = report | {"sha256": {"seer": "a", "ours-seed8": "c"}, "rows": rows}
    (folder / "data" / "ours-seed8.json").write_text(json.dumps(second))
    assert lines(folder, "Networks on dots, top-1 in %")[1][4] == "80.0 ± 7.1"
    ours = lines(folder, "All trained models")[0]
    assert ours[4:] == ["2", "80.0 ± 7.1", "-10.0", "1.33", "20.5", "2", "2 cores", "4"]


def test_a_classifier_not_used_in_training_has_a_separate_table(folder: Path) -> None:
    ours, octree = lines(folder, "Transfer to a classifier that took no part in training, top-1 in %")
    assert ours == ["ColorCNN", "`ours`", "seer", "other", "80.0", "85.0", *["-"] * 5]
    assert octree == ["octree", "-", "-", "other", "80.0", "30.0", *["-"] * 5]


def test_the_transfer_table_is_left_out_without_such_a_classifier(folder: Path) -> None:
    (folder / "data" / "another-classifier.json").unlink()
    assert len(tables(folder, folder)) == 3


def test_epochs_and_minutes_include_the_run_that_weights_came_from(folder: Path) -> None:
    file = folder / "ours.toml"
    file.write_text(file.read_text() + 'start = "less"\n')
    assert lines(folder, "Networks on dots, top-1 in %")[1][3] == "4"
    assert {line[-1] for line in lines(folder, "All trained models") if line[0] == "`ours`"} == {"7"}


def test_recipes_without_results_or_log_are_left_out(folder: Path) -> None:
    (folder / "logs" / "ours.jsonl").unlink()
    assert [line[0] for line in lines(folder, "All trained models")] == ["`seer`"]


def test_the_command_prints_all_row_tables(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = main(["--results", str(folder), "--recipes", str(folder)])
    assert all(f"{title}:\n\n{body}" in text for title, body in tables(folder, folder).items())
    assert capsys.readouterr().out == text + "\n"
