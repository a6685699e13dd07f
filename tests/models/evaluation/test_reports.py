"""Reports are typed by their kind; every stored report is one."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.evaluation.report_kinds import Kind, head
from models.evaluation.reports import (
    TYPED,
    BadReport,
    EvaluationReport,
    FinetuningBpgReport,
    FinetuningReport,
    kind_of,
    load,
    parse,
    read,
    to_json,
)
from models.zoo.manifest import SHIPPED
from models.zoo.registry import Registry

DATA = Path(__file__).resolve().parents[3] / "docs" / "results" / "data"


def stored() -> list[Path]:
    return sorted(DATA.glob("*.json"))


@pytest.mark.parametrize("file", stored(), ids=lambda file: file.stem)
def test_a_stored_report_has_a_kind_and_comes_back_unchanged(file: Path) -> None:
    content = load(file)

    if kind_of(content) in TYPED:
        assert json.loads(json.dumps(to_json(read(file)))) == content


def test_the_report_of_a_shipped_model_is_one_of_the_stored_reports() -> None:
    reports = [load(file) for file in stored()]
    shipped = [SHIPPED / entry.results for entry in Registry.open().available() if entry.results]

    assert shipped and all(load(file) in reports for file in shipped)


def test_the_kinds_of_fine_tuning_reports_are_distinguished() -> None:
    coded, plain = (read(DATA / f"tiny-imagenet-200-tuned{name}.json") for name in ("-bpg", ""))

    assert isinstance(coded, FinetuningBpgReport) and all(row.qp is not None for row in coded.rows)
    assert type(plain) is FinetuningReport and all(row.qp is None for row in plain.rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": None}, "kind None is unknown"),
        ({"kind": "bpg"}, "'bpg' is damaged .codec: Field required"),
        ({"kind": "soak"}, "'soak' has no tables here"),
        ({"schema_version": 0}, "schema version 0, not 1"),
        ({"rows": [{"method": "wu"}]}, r"rows\.0\.images: Field required"),
        ({"top1_original": "high"}, "top1_original: Input should be a valid number"),
    ],
)
def test_an_object_of_another_form_is_refused(change: dict[str, Any], message: str) -> None:
    content = to_json(read(DATA / "cifar10.json")) | change

    with pytest.raises(BadReport, match=message):
        parse(content)


@pytest.mark.parametrize("content", [{}, [], None, {"rows": []}])
def test_an_object_without_a_kind_is_refused(content: object) -> None:
    with pytest.raises(BadReport, match='it has no "kind"; measure again'):
        parse(content)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text('{"kind": ')

    for name in ("cut.json", "missing.json"):
        with pytest.raises(BadReport, match=f"{name} cannot be read"):
            read(tmp_path / name)


def test_the_subject_names_images_and_classifier() -> None:
    report = read(DATA / "cifar10.json")

    assert isinstance(report, EvaluationReport)
    assert report.subject == "cifar10, 10,000 images of test, cifar10-resnet9"
    assert head(report.kind) == {"kind": Kind.EVALUATION, "schema_version": 1}
