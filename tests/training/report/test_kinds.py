"""training/report/kinds.py: each kind of report has its tables and its figures."""

from pathlib import Path

import pytest

from models.evaluation.report_kinds import Kind
from models.evaluation.reports import TYPED, read
from training.report.kinds import figures, tables

DATA = Path(__file__).resolve().parents[3] / "docs" / "results" / "data"
STUDIES = {
    "cifar10": (8, ["accuracy", "rate", "rate-payload", "quality"]),
    "cifar10-bpg": (6, ["bits", "bits-payload", "rate", "likeness"]),
    "cifar10-palette-modes": (1, []),
    "cifar10-fidelity": (4, ["likeness"]),
    "tiny-imagenet-200-tuned": (1, ["accuracy"]),
    "tiny-imagenet-200-tuned-bpg": (1, ["before", "after"]),
    "photographs": (20, []),
    "photographs-codecs": (19, ["rate"]),
    "robustness": (1, []),
    "cifar10-bytes-held-out": (1, []),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_stored_report_has_the_tables_and_figures_of_its_kind(name: str) -> None:
    report = read(DATA / f"{name}.json")
    count, endings = STUDIES[name]

    bodies = tables(report)
    assert len(bodies) == count and all(body.count("\n") > 1 for body in bodies.values())
    assert list(figures(report)) == endings


def test_every_kind_except_published_results_is_tested() -> None:
    assert {read(DATA / f"{name}.json").kind for name in STUDIES} == TYPED.keys() - {Kind.PUBLISHED}
