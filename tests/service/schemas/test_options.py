"""Options of requests: the range of each number, from its first to its last value, and classes by label or index."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from models.errors import BadOption
from service.schemas.benchmark_options import BenchmarkOptions
from service.schemas.class_names import class_index, find_class
from service.schemas.options import ClassifyOptions, CompressOptions, ImageOptions, QuantizeOptions


@pytest.mark.parametrize(
    ("options", "name", "least", "most", "step"),
    [
        (QuantizeOptions, "colors", 2, 256, 1),
        (QuantizeOptions, "fidelity", 0, 1, 0.01),
        (CompressOptions, "qp", 0, 51, 1),
        (ClassifyOptions, "top_k", 1, 1000, 1),
    ],
)
def test_a_number_may_have_every_value_of_its_range_and_no_other(
    options: type[BaseModel], name: str, least: float, most: float, step: float
) -> None:
    for value in (least, most):
        assert getattr(options.model_validate({name: str(value)}), name) == value
    for value in (least - step, most + step):
        with pytest.raises(ValidationError, match=name):
            options.model_validate({name: value})


@pytest.mark.parametrize(
    ("options", "defaults"),
    [
        (QuantizeOptions(), {"colors": 4, "fidelity": 0.0, "transferable": True, "dither": None, "recognize": True}),
        (CompressOptions(), {"colors": 4, "qp": 28, "chroma": "444", "mode": "plain", "recognize": True}),
        (ClassifyOptions(), {"top_k": 5, "cam": None}),
        (BenchmarkOptions(), {"colors": (2, 4, 8, 16), "methods": (), "labels": (), "cam": False}),
    ],
)
def test_the_defaults_are_as_documented(options: BaseModel, defaults: dict[str, Any]) -> None:
    assert {name: getattr(options, name) for name in defaults} == defaults


@pytest.mark.parametrize("options", [QuantizeOptions, CompressOptions, ClassifyOptions, BenchmarkOptions])
def test_an_unknown_option_is_rejected_and_options_do_not_change(options: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        options.model_validate({"size": "2"})
    with pytest.raises(ValidationError, match="frozen"):
        options().background = "#000000"  # type: ignore[attr-defined]


def test_the_background_is_six_digits_with_or_without_a_number_sign() -> None:
    assert ImageOptions(background="#0a80FF").background_rgb() == (10, 128, 255)
    assert ImageOptions(background="0a80ff").background_rgb() == (10, 128, 255)
    for text in ("#0a80f", "#0a80fff", "##0a80ff", "#0a80fg"):
        with pytest.raises(ValidationError):
            ImageOptions(background=text)


def test_lists_of_a_benchmark_are_joined_from_fields_and_commas() -> None:
    options = BenchmarkOptions.model_validate({"colors": ["2, 256", "4"], "methods": ["kmeans,wu"]})

    assert (options.colors, options.methods) == ((2, 256, 4), ("kmeans", "wu"))


@pytest.mark.parametrize("colors", [["1"], ["257"], ["2,2"], ["2", "2"], [""], ["+2"], ["1_0"], []])
def test_colors_of_a_benchmark_outside_the_range_or_given_twice_are_rejected(colors: list[str]) -> None:
    with pytest.raises(ValidationError, match="colors"):
        BenchmarkOptions.model_validate({"colors": colors})


def test_a_benchmark_compares_up_to_sixteen_numbers_of_colors() -> None:
    assert len(BenchmarkOptions.model_validate({"colors": list(map(str, range(2, 18)))}).colors) == 16
    with pytest.raises(ValidationError, match="at most 16"):
        BenchmarkOptions.model_validate({"colors": list(map(str, range(2, 19)))})


CLASSES = ("cat", "dog", "7", "bird")


@pytest.mark.parametrize(
    ("text", "index"), [("cat", 0), ("bird", 3), ("0", 0), ("3", 3), ("7", 2), ("003", 3), ("000000003", 3)]
)
def test_a_class_is_named_by_its_label_or_else_by_its_index(text: str, index: int) -> None:
    assert class_index("cam", text, CLASSES) == index
    assert find_class(text, CLASSES) == index


@pytest.mark.parametrize("text", ["4", "-1", "+1", "1.0", "fish", "", "\N{SUPERSCRIPT TWO}", "0000000003"])
def test_another_class_is_rejected_with_the_range_of_indices(text: str) -> None:
    with pytest.raises(BadOption, match=r"give `top`, an index from 0 to 3 or one of cat, dog, 7, bird\."):
        find_class(text, CLASSES)


def test_the_message_lists_twenty_classes_at_most() -> None:
    for count, ending in ((20, "c18, c19."), (21, "c18, c19, ...")):
        with pytest.raises(BadOption) as raised:
            class_index("labels", "fish", tuple(f"c{number}" for number in range(count)))
        assert ending in str(raised.value) and "labels 'fish'" in str(raised.value)


def test_no_class_is_named_without_the_option_or_by_top() -> None:
    assert find_class(None, CLASSES) is None
    assert find_class("top", CLASSES) is None
