"""Views of reports: the tables and figures of each kind, in one mapping."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from models.evaluation.report_kinds import Kind
from models.evaluation.reports import BadReport, Report
from training.report import (
    bpg,
    byte_budget,
    evaluation,
    fidelity,
    finetuning,
    palette_modes,
    photographs,
    robustness,
)


@dataclass(frozen=True)
class View:
    """Functions of a report of one kind.

    tables: Markdown tables by their titles. figures: figures by the endings of their file names. Both take the
    dataclass of the kind.
    """

    tables: Callable[[Any], dict[str, str]]
    figures: Callable[[Any], Mapping[str, Figure]] = lambda report: {}


_VIEWS: Mapping[Kind, View] = {
    Kind.EVALUATION: View(evaluation.tables, evaluation.figures),
    Kind.BPG: View(bpg.tables, bpg.figures),
    Kind.PALETTE_MODES: View(palette_modes.tables),
    Kind.FIDELITY: View(fidelity.tables, fidelity.figures),
    Kind.FINETUNING: View(finetuning.tables, finetuning.figures),
    Kind.FINETUNING_BPG: View(finetuning.bpg_tables, finetuning.bpg_figures),
    Kind.PHOTOGRAPHS: View(photographs.tables, photographs.figures),
    Kind.ROBUSTNESS: View(robustness.tables),
    Kind.BYTES: View(byte_budget.tables),
}


def tables(report: Report) -> dict[str, str]:
    """Return every table of a report by its title. Raises BadReport for a kind without tables."""
    return _view(report).tables(report)


def figures(report: Report) -> Mapping[str, Figure]:
    """Return every figure of a report by the ending of its file name. Raises BadReport for a kind without a view."""
    return _view(report).figures(report)


def _view(report: Report) -> View:
    if report.kind not in _VIEWS:
        raise BadReport(f"a report of kind {report.kind.value!r} has no tables or figures")
    return _VIEWS[report.kind]
