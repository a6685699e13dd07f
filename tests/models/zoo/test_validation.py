"""Errors in JSON files: each has its path, and a rejected value is cut where it is long."""

from typing import Any

import pytest
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from models.errors import CorruptCheckpoint
from models.zoo.validation import STRICT, field_error, read_json, reported_as_corrupt, require


@dataclass(frozen=True, config=STRICT)
class Size:
    width: int
    names: dict[str, int]


SIZE: TypeAdapter[Any] = TypeAdapter(Size)


def error_of(data: str) -> str:
    with pytest.raises(CorruptCheckpoint) as raised:
        read_json(SIZE, data, "the size")
    return str(raised.value)


def test_a_valid_document_is_returned() -> None:
    assert read_json(SIZE, b'{"width": 3, "names": {"a": 1}}', "the size") == Size(3, {"a": 1})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('{"names": {}}', "width is missing"),
        ('{"width": 3, "names": {}, "height": 4}', "height is unknown"),
        ('{"width": "3", "names": {}}', "width must be a valid integer, not '3'"),
        ('{"width": 3, "names": {"a": null}}', "names.a must be a valid integer, not None"),
        ("[]", "the size must be an object, not []"),
        ("{", "the size is not valid JSON (EOF while parsing an object at line 1 column 1)"),
        ('{"width": true, "names": 5}', "width must be a valid integer, not True; names must be an object, not 5"),
    ],
)
def test_every_error_has_its_path(data: str, message: str) -> None:
    assert error_of(data) == message


@pytest.mark.parametrize(("letters", "shown"), [(58, f"'{'x' * 58}'"), (59, f"'{'x' * 56}...")])
def test_a_value_is_cut_at_60_characters(letters: int, shown: str) -> None:
    message = error_of('{"width": "%s", "names": {}}' % ("x" * letters))

    assert message == f"width must be a valid integer, not {shown}"


def test_rules_of_several_fields_are_reported_together() -> None:
    errors = [field_error(("a", 0), "must be odd", 2), field_error(("b",), "must not be empty", "")]

    with pytest.raises(CorruptCheckpoint) as raised, reported_as_corrupt("it"):
        require(errors)

    assert str(raised.value) == "a.0 must be odd, not 2; b must not be empty, not ''"
    require([])
