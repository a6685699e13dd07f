"""Reports of whole test sets: the files that ship with the project fit the schema."""

from models.zoo.registry import Registry
from service.schemas.benchmark_reports import DatasetReport


def test_the_shipped_reports_fit_the_schema() -> None:
    registry = Registry.open()
    reports = [report for entry in registry.available() if (report := registry.results(entry.name)) is not None]

    assert reports
    for report in reports:
        assert DatasetReport.model_validate(report).rows
