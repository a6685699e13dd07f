"""Keyword arguments are the fields of the option models, and become the text of a form."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from service.client import BadOption
from service.client.keywords import (
    BenchmarkKeywords,
    ClassifyKeywords,
    CompressKeywords,
    QuantizeKeywords,
    pairs_of,
)
from service.schemas.benchmark_options import BenchmarkOptions
from service.schemas.options import ClassifyOptions, CompressOptions, QuantizeOptions

OWN = {"format", "skip_if_larger", "shared_palette"}
"""Options that the methods of the clients have as arguments of their own, or decide themselves."""


@pytest.mark.parametrize(
    ("keywords", "model"),
    [
        (QuantizeKeywords, QuantizeOptions),
        (CompressKeywords, CompressOptions),
        (ClassifyKeywords, ClassifyOptions),
        (BenchmarkKeywords, BenchmarkOptions),
    ],
)
def test_keywords_are_the_fields_of_the_options(keywords: Any, model: type[BaseModel]) -> None:
    assert keywords.__annotations__.keys() | keywords.__optional_keys__ == model.model_fields.keys() - OWN


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        ({"recognize": False, "method": "wu"}, (("recognize", "false"), ("method", "wu"))),
        ({"fidelity": 0.00001}, (("fidelity", "0.00001"),)),
        ({"fidelity": 1, "colors": np.int64(8)}, (("fidelity", "1"), ("colors", "8"))),
        ({"model": None, "dither": True}, (("dither", "true"),)),
    ],
)
def test_values_become_text(options: dict[str, Any], pairs: tuple[tuple[str, str], ...]) -> None:
    assert pairs_of(options, QuantizeOptions) == pairs


def test_lists_become_repeated_fields() -> None:
    pairs = pairs_of({"labels": ["a, b", "c"], "colors": (2, 4)}, BenchmarkOptions)
    assert pairs == (("labels", "a, b"), ("labels", "c"), ("colors", "2"), ("colors", "4"))


def test_another_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'method'"):
        pairs_of({"method": {"a": 1}}, QuantizeOptions)
    with pytest.raises(BadOption, match="2 to 256"):
        pairs_of({"colors": 300}, QuantizeOptions)
