"""docs/generator/quantities.py: single figures, by where they stand in a report or a log."""

import json
from pathlib import Path

import pytest

from docs.generator import reports
from docs.generator.quantities import value

ROWS = [
    {"method": "ours", "colors": 2, "top1": 0.25, "quality": None, "psnr": None, "resists": {"8": 0.125}},
    {"method": "bpg", "colors": None, "top1": 0.5, "quality": 3},
    {"method": "bpg", "colors": None, "top1": 0.75, "quality": 5},
    {"method": "wu", "colors": 2, "model": None, "side": 256, "reader": "net-a", "role": "own", "kept": 0.1},
    {"method": "wu", "colors": 2, "model": "net-a", "side": 256, "reader": "net-a", "role": "own", "kept": 0.4},
    {"method": "wu", "colors": 2, "model": None, "side": 256, "reader": "net-b", "role": "foreign", "kept": 0.2},
    {"method": "wu", "colors": 2, "model": "net-b", "side": 512, "reader": "net-b", "role": "foreign", "kept": 0.3},
]
EPOCHS = [{"event": "epoch", "epoch": 1, "seconds": 60.0}, {"event": "epoch", "epoch": 2, "seconds": 180.0}]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = {"original": 0.9, "bytes": 2.5e9, "load": {"requests": 12345, "ok": True}, "list": [1.234], "rows": ROWS}
    (tmp_path / "some.json").write_text(json.dumps(report))
    (tmp_path / "run.jsonl").write_text("\n".join(map(json.dumps, [{"event": "start"}, *EPOCHS])))
    for name in ("ROOT", "DATA", "LOGS"):
        monkeypatch.setattr(reports, name, tmp_path)
    reports.report_of.cache_clear()
    reports.epochs_of.cache_clear()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("percent some:ours@2.top1", "25.0 %"),
        ("percent0 some:ours@2.top1", "25 %"),
        ("percent some:ours@2.resists.8", "12.5 %"),
        ("percent2 some:original", "90.00 %"),
        ("points some:original some:ours@2.top1", "65.0"),
        ("percent some:bpg@-/5.top1", "75.0 %"),
        ("less some:bpg@-/5.quality some:bpg@-/3.quality", "2.0"),
        ("times some:bpg@-/3.top1 some:ours@2.top1", "2.0"),
        ("percent some:wu@2[256:own].kept", "10.0 %"),
        ("percent some:wu@2[256:net-b].kept", "20.0 %"),
        ("points some:wu@2[512:foreign].kept some:wu@2[256:net-a].kept", "20.0"),
        ("number some:load.requests", "12,345"),
        ("number2 some:list.0", "1.23"),
        ("gigabytes some:bytes", "2.50 GB"),
        ("minutes log/run:seconds", "3"),
        ("number log/run@1:epoch", "1"),
    ],
)
def test_a_quantity_is_formatted_for_a_sentence(words: str, text: str) -> None:
    assert value(*words.split()) == text


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("percent some:bpg@-.top1", "2 rows are"),
        ("percent some:ours@4.top1", "0 rows are"),
        ("percent some:wu@2.kept", "4 rows are"),
        ("percent some:wu@2[512:own].kept", "0 rows are"),
        ("number some:load.nothing", "nothing is at 'nothing'"),
        ("number some:load.ok", "not a number"),
        ("number some:ours@2.psnr", "not a number"),
        ("number some:ours@2.resists.4", "nothing is at '4'"),
        ("percent none:original", "no report 'none'"),
        ("minutes log/none:seconds", "no log 'none'"),
        ("points some:original", "does not take 1 quantities"),
        ("nothing some:original", "does not take 1 quantities"),
    ],
)
def test_a_missing_quantity_is_an_error(words: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        value(*words.split())
