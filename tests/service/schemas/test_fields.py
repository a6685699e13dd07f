"""Texts of forms and queries as values: what is read, and what pydantic alone would read."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from service.schemas.fields import AUTO, Decimal, Name, Number, Palette, Positive, Share, listed, palette_text
from service.schemas.options import CompressOptions, QuantizeOptions
from service.schemas.reports import ProblemReport


class Options(BaseModel):
    name: Name = "x"
    number: Number = 1
    decimal: Decimal = 1.0
    positive: Positive = 1
    share: Share = 1.0
    palette: Palette = ((0, 0, 0), (1, 1, 1))


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("number", "10", 10),
        ("number", "007", 7),
        ("decimal", "0.25", 0.25),
        ("decimal", "3", 3.0),
        ("positive", "1", 1),
        ("share", "1", 1.0),
        ("share", "0.001", 0.001),
        ("name", "a", "a"),
        ("palette", "#000,#0a80ff", ((0, 0, 0), (10, 128, 255))),
    ],
)
def test_plain_texts_are_values(field: str, text: str, value: object) -> None:
    assert getattr(Options.model_validate({field: text}), field) == value


@pytest.mark.parametrize(
    ("field", "texts"),
    [
        ("number", ["1_0", "+4", "-1", "1.0", " 1", "", "\u0663", "1e3"]),
        ("decimal", ["nan", "inf", "1e-1", " .5", ".5", "5.", "-0.5", "1,5", "", "0.5\n"]),
        ("positive", ["0", "-1", "+1", "1.5"]),
        ("share", ["0", "0.0", "1.001", "-0.1", "2"]),
        ("name", [""]),
        ("palette", ["", "#00", "no palette of this name"]),
    ],
)
def test_other_texts_are_refused(field: str, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(ValidationError, match=field):
            Options.model_validate({field: text})


def test_numbers_that_are_no_text_are_left_to_pydantic() -> None:
    assert Options(number=-3, decimal=-0.5).number == -3


@pytest.mark.parametrize(("text", "value"), [("auto", AUTO), ("7", 7), ("256", 256)])
def test_colors_are_a_number_or_auto(text: str, value: object) -> None:
    assert QuantizeOptions.model_validate({"colors": text}).colors == value


@pytest.mark.parametrize("text", ["Auto", "1e2", "-4", "4x", ""])
def test_what_is_neither_is_explained_in_one_sentence(text: str) -> None:
    with pytest.raises(ValidationError, match="a number in plain digits, or auto"):
        QuantizeOptions.model_validate({"colors": text})
    with pytest.raises(ValidationError):
        CompressOptions.model_validate({"colors": text})


def test_a_palette_is_written_as_text() -> None:
    assert palette_text(((0, 0, 0), (10, 128, 255))) == "#000000,#0a80ff"
    assert Options().model_dump(mode="json")["palette"] == "#000000,#010101"
    assert listed(["a", "b"]) == "`a`, `b`"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"palette": "#000,#fff", "shared_palette": True}, "leave out `palette` or it"),
        ({"colors": "auto", "shared_palette": True}, "replace colors=auto by a number"),
        ({"scale": "auto"}, "scale=auto needs `max_bytes`"),
        ({"keep": 0.5, "recognize": False}, "leave out recognize=false"),
        ({"colors": "auto", "recognize": False}, "leave out recognize=false"),
        ({"palette": "#000,#fff", "colors": 3}, "the palette has 2 colors; leave `colors` out"),
    ],
)
def test_options_that_contradict_each_other_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        QuantizeOptions.model_validate(values)


@pytest.mark.parametrize(
    "values",
    [
        {"colors": "auto", "recognize": False, "max_bytes": 99},
        {"scale": "auto", "max_bytes": 1},
        {"colors": 3, "shared_palette": True},
        {"palette": "#000,#fff", "colors": 2},
        {"palette": "#000,#fff", "colors": "2"},
    ],
)
def test_options_that_agree_are_accepted(values: dict[str, Any]) -> None:
    QuantizeOptions.model_validate(values)


@pytest.mark.parametrize(
    ("values", "share"),
    [
        ({}, None),
        ({"keep": 0.5}, 0.5),
        ({"colors": "auto"}, 0.5),
        ({"colors": "auto", "max_bytes": 9}, None),
        ({"colors": "auto", "max_bytes": 9, "keep": 0.25}, 0.25),
    ],
)
def test_colors_auto_keeps_the_label_unless_bytes_are_the_goal(values: dict[str, Any], share: float | None) -> None:
    options = QuantizeOptions.model_validate(values)

    assert options.needs_recognition is (share is not None)
    if share is None or "keep" in values:
        assert options.share_to_keep == share
    else:
        assert options.share_to_keep is not None and 0 < options.share_to_keep <= 1


def test_a_palette_counts_its_colors() -> None:
    assert QuantizeOptions.model_validate({"palette": "#000,#fff,#f00"}).colors == 3
    assert QuantizeOptions.model_validate({"palette": None}).colors == 4


def test_a_report_of_a_problem_does_not_change() -> None:
    problem = ProblemReport.model_validate({"type": "t", "title": "T", "status": 400, "detail": "d", "instance": "i"})
    with pytest.raises(ValidationError, match="frozen"):
        problem.status = 3  # type: ignore[misc]
