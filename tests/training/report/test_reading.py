"""training/report/reading.py: the rows of several files on one test set, as one report."""

import json
from pathlib import Path

import pytest

from models.evaluation.report_kinds import Kind
from models.evaluation.reports import BadReport, EvaluationReport, parse, to_json
from tests.training.report.reports import report
from tests.training.workshop import Workshop
from training.report import figures, tables
from training.report.reading import read_folder, read_together


@pytest.fixture
def parts(workshop: Workshop, tmp_path: Path) -> tuple[Path, Path]:
    """A report in two files that both have its third row; the second has the rows of the network."""
    rows = sorted(workshop.report["rows"], key=lambda row: row["model"] is not None)
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    for file, part in ((first, rows[:3]), (second, rows[2:])):
        file.write_text(json.dumps(workshop.report | {"rows": part}))
    return first, second


def test_each_setting_appears_once_and_networks_come_first(workshop: Workshop, parts: tuple[Path, Path]) -> None:
    first, second = parts
    together = read_together(first, [second])
    assert isinstance(together, EvaluationReport)
    assert to_json(together) | {"rows": []} == workshop.report | {"rows": []}
    models = [row.model for row in together.rows]
    assert models[0] and models == sorted(models, key=lambda model: model is None)
    assert sorted(map(str, to_json(together)["rows"])) == sorted(map(str, workshop.report["rows"]))
    assert read_together(workshop.results) == parse(workshop.report)


def test_rows_that_are_not_means_cannot_be_combined(workshop: Workshop, tmp_path: Path) -> None:
    file = tmp_path / "modes.json"
    file.write_text(json.dumps(report(Kind.PALETTE_MODES)))
    assert read_together(file) == parse(report(Kind.PALETTE_MODES))
    with pytest.raises(BadReport, match=r"modes\.json.*'bpg-palette-modes' cannot be combined with others"):
        read_together(workshop.results, [file])


def test_a_folder_is_read_except_for_benchmarks(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(workshop.report))
    (tmp_path / "a.json").write_text(json.dumps({"kind": "soak", "schema_version": 1}))
    assert list(read_folder(tmp_path)) == [parse(workshop.report)]


@pytest.mark.parametrize("other", [{"classifier": "another"}, {"top1_original": 0.5}, {"images": 1}])
def test_reports_of_other_images_or_classifiers_are_refused(
    workshop: Workshop, tmp_path: Path, other: dict[str, object]
) -> None:
    [name] = other
    file = tmp_path / "other.json"
    file.write_text(json.dumps(workshop.report | other))
    with pytest.raises(BadReport, match=f"{name} of .*other.json is"):
        read_together(workshop.results, [file])
    with pytest.raises(BadReport, match=f"{name} of .*other.json is"):
        figures.main(["--results", str(workshop.results), "--beside", str(file), "--out", str(tmp_path)])


def test_figures_and_tables_show_the_rows_of_both_files(parts: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = map(str, parts)
    flags = ["--results", first, "--beside", second]
    alone, both = tables.main(flags[:2]), tables.main(flags)
    assert "ColorCNN" in both and "ColorCNN" not in alone
    few, all_of_them = (figures.figures_of(parts[0], parts[1:end])["accuracy"].axes[0] for end in (1, 2))
    assert len(few.get_lines()) < len(all_of_them.get_lines())
    assert figures.main([*flags, "--out", str(tmp_path)])[0] == tmp_path / "first-accuracy.png"
