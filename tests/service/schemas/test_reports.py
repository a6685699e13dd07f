"""JSON of responses: every example is a value of its field, and the range of each number ends where it should."""

import math
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from service.schemas import benchmark_reports, reports
from service.schemas.base import Report


def models() -> Iterator[type[BaseModel]]:
    for module in (reports, benchmark_reports):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == module.__name__:
                yield value


FIELDS = [(model, name, field) for model in models() for name, field in model.model_fields.items()]
EXAMPLES = [each for each in FIELDS if each[2].examples]
SHARES = [each for each in FIELDS if any(getattr(limit, "le", None) is not None for limit in each[2].metadata)]


def adapter(field: FieldInfo) -> TypeAdapter[Any]:
    plain: Any = field.annotation
    return TypeAdapter(Annotated[plain, *field.metadata] if field.metadata else plain)


def accepts(field: FieldInfo, value: object) -> bool:
    try:
        adapter(field).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("model", "name", "field"), EXAMPLES, ids=[f"{each[0].__name__}.{each[1]}" for each in EXAMPLES]
)
def test_an_example_in_the_documentation_is_a_value_of_its_field(
    model: type[BaseModel], name: str, field: FieldInfo
) -> None:
    assert all(accepts(field, example) for example in field.examples or ())


@pytest.mark.parametrize(("model", "name", "field"), SHARES, ids=[f"{each[0].__name__}.{each[1]}" for each in SHARES])
def test_a_number_with_a_limit_is_a_share_of_0_to_1(model: type[BaseModel], name: str, field: FieldInfo) -> None:
    assert accepts(field, 0) and accepts(field, 1)
    assert not accepts(field, -0.001) and not accepts(field, 1.001)


def test_every_share_has_its_limits() -> None:
    named = {(model.__name__, name) for model, name, _ in FIELDS if name in ("probability", "top1_original")}

    assert named <= {(model.__name__, name) for model, name, _ in SHARES}


@pytest.mark.parametrize(
    ("model", "name", "least"),
    [
        (reports.PredictionReport, "index", 0),
        (reports.QuantizeReport, "width", 1),
        (reports.QuantizeReport, "height", 1),
        (reports.CompressReport, "width", 1),
        (reports.CompressReport, "height", 1),
        (benchmark_reports.BenchmarkImage, "width", 1),
        (benchmark_reports.BenchmarkImage, "height", 1),
        (benchmark_reports.BenchmarkProgress, "done", 0),
        (benchmark_reports.BenchmarkProgress, "total", 1),
    ],
)
def test_a_count_begins_at_its_least_value(model: type[BaseModel], name: str, least: int) -> None:
    field = model.model_fields[name]

    assert accepts(field, least) and accepts(field, 10**9)
    assert not accepts(field, least - 1)


def test_a_report_is_frozen_and_has_no_other_keys() -> None:
    class Size(Report):
        width: int

    with pytest.raises(ValidationError, match="Extra inputs"):
        Size.model_validate({"width": 3, "height": 4})
    with pytest.raises(ValidationError, match="frozen"):
        Size(width=3).width = 4  # type: ignore[misc]


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from numbers(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


@pytest.mark.parametrize(
    ("model", "name", "field"), EXAMPLES, ids=[f"{each[0].__name__}.{each[1]}" for each in EXAMPLES]
)
def test_no_example_of_a_count_or_a_measure_is_negative(model: type[BaseModel], name: str, field: FieldInfo) -> None:
    assert all(number >= 0 for number in numbers(field.examples or []))


def test_the_examples_of_an_error_agree() -> None:
    fields = benchmark_reports.BenchmarkRow.model_fields
    mse, decibels = (float((fields[name].examples or [0])[0]) for name in ("mse", "psnr"))

    assert 10 * math.log10(255**2 / mse) == pytest.approx(decibels, abs=0.05)
