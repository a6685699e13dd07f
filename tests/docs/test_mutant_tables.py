"""docs/generator/mutant_tables.py: counts of both samples, and one line for each survivor with its explanation."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.generator import mutant_tables, reports


def row(before: str, after: str, killed_by: str | None = None, line: int = 7) -> dict[str, Any]:
    return {"module": "models/a.py", "line": line, "before": before, "after": after, "killed_by": killed_by}


BOUND = row("if a <= 1.5 | b:  # why", "if a < 1.5 | b:  # why")
REPORT = {
    "seed": 3,
    "killed": 2,
    "killed_by": {"mirrored": 2},
    "survived": 1,
    "mutants": [BOUND, row("x = 1", "x = 2", "mirrored"), row("x = 1", "x = 0", "mirrored")],
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("ROOT", "DATA"):
        monkeypatch.setattr(reports, name, tmp_path)
    reports.report_of.cache_clear()
    for name in ("mutants", "mutants-before"):
        (tmp_path / f"{name}.json").write_text(json.dumps(REPORT))
    explained = {key: BOUND[key] for key in ("module", "before", "after")} | {
        "equivalent": True,
        "why": "Tested since.",
    }
    (tmp_path / "mutants-explained.json").write_text(json.dumps({"rows": [explained]}))
    yield tmp_path
    reports.report_of.cache_clear()  # other tests read the real reports


def test_both_samples_are_counted() -> None:
    assert mutant_tables.mutants().splitlines()[2:] == [
        "| before | 3 | 3 | 2 | 0 | 1 | 67 % | 100 % |",
        "| after | 3 | 3 | 2 | 0 | 1 | 67 % | 100 % |",
    ]


def test_a_survivor_has_its_line_its_change_and_its_explanation() -> None:
    assert mutant_tables.survivors("mutants").splitlines()[2:] == [
        "| `models/a.py:7` | `if a <= 1.5 \\| b:` | `<=` to `<` | Tested since. |"
    ]


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("at = 2 * length", "at = 2 / length", "`*` to `/`"),
        ("rate = 2.8,", "rate = 3.8,", "`2.8` to `3.8`"),
        ("if not found:", "if  found:", "`not` to nothing"),
        ("raise errors[0]", "raise errors[ -1]", "`0` to `- 1`"),
        ("a = 1", "a = 1 - b", "nothing to `- b`"),
    ],
)
def test_only_the_tokens_that_differ_are_shown(files: Path, before: str, after: str, change: str) -> None:
    survivor = row(before, after)
    (files / "mutants.json").write_text(json.dumps(REPORT | {"mutants": [survivor]}))
    (files / "mutants-explained.json").write_text(
        json.dumps({"rows": [survivor | {"equivalent": False, "why": "Taste."}]})
    )

    assert mutant_tables.survivors("mutants").splitlines()[2].split(" | ")[2] == change


def test_a_survivor_without_an_explanation_is_an_error(files: Path) -> None:
    (files / "mutants-explained.json").write_text(json.dumps({"rows": []}))

    with pytest.raises(ValueError, match=r"models/a\.py:7 has no explanation"):
        mutant_tables.survivors("mutants")
