"""Tensors survive both codings, and damaged ones are rejected with the element that is damaged."""

import base64
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.v2.tensors import Tensor, files_of_binary, files_of_json, to_binary, to_json
from service.errors import BadInferenceRequest

files = st.lists(st.binary(max_size=40), min_size=1, max_size=6)
floats = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=6)
integers = st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=6)
WHERE = "the input 'image'"


def tensor_of(files: list[bytes]) -> Tensor:
    return Tensor("image", "BYTES", (len(files),), tuple(files), "base64")


@given(files)
def test_files_survive_binary_data(files: list[bytes]) -> None:
    assert files_of_binary(to_binary(tensor_of(files)), len(files), WHERE) == files


@given(files)
def test_files_survive_json_as_strings_and_as_objects(files: list[bytes]) -> None:
    texts = json.loads(json.dumps(to_json(tensor_of(files))))

    assert files_of_json(texts, len(files), WHERE) == files
    assert files_of_json([{"b64": text} for text in texts], len(files), WHERE) == files


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_text_is_text_in_json_and_utf8_in_binary_data(texts: list[str]) -> None:
    encoded = tuple(text.encode() for text in texts)
    tensor = Tensor("label", "BYTES", (len(texts),), encoded, "str")

    assert to_json(tensor) == texts
    assert files_of_binary(to_binary(tensor), len(texts), WHERE) == list(encoded)


@given(floats)
def test_fp32_keeps_every_bit_in_both_codings(values: list[float]) -> None:
    tensor = Tensor("probability", "FP32", (len(values),), tuple(values))

    assert np.frombuffer(to_binary(tensor), "<f4").tolist() == values
    assert np.array(json.loads(json.dumps(to_json(tensor))), np.float32).tolist() == values


@given(integers)
def test_int32_and_bool_have_their_native_size(values: list[int]) -> None:
    numbers = Tensor("index", "INT32", (len(values),), tuple(values))
    flags = Tensor("goals_met", "BOOL", (len(values),), tuple(value > 0 for value in values))

    assert np.frombuffer(to_binary(numbers), "<i4").tolist() == to_json(numbers) == values
    assert np.frombuffer(to_binary(flags), "?").tolist() == to_json(flags) == [value > 0 for value in values]


@given(files, st.data())
def test_binary_data_that_end_early_are_rejected(files: list[bytes], data: st.DataObject) -> None:
    whole = to_binary(tensor_of(files))
    cut = data.draw(st.integers(0, len(whole) - 1))

    with pytest.raises(BadInferenceRequest, match=rf"within element \d of {len(files)}"):
        files_of_binary(whole[:cut], len(files), WHERE)


def test_binary_data_that_go_on_are_rejected() -> None:
    with pytest.raises(BadInferenceRequest, match="go on for 2 bytes after element 1"):
        files_of_binary(to_binary(tensor_of([b"file"])) + b"xx", 1, WHERE)


def test_a_length_beyond_the_data_is_rejected() -> None:
    with pytest.raises(BadInferenceRequest, match="within element 1 of 1"):
        files_of_binary(struct.pack("<I", 2**32 - 1) + b"x", 1, WHERE)


PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(9)).decode()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (7, "neither a string in base64 nor an object"),
        (None, "neither a string in base64 nor an object"),
        ([PNG], "neither a string in base64 nor an object"),
        ({"b64": 7}, "neither a string in base64 nor an object"),
        ({"b64": PNG, "more": 1}, "neither a string in base64 nor an object"),
        (PNG.rstrip("="), "not in base64"),
        (PNG[:9] + "\n" + PNG[9:], "not in base64"),
        ("_-==", "not in base64"),
        ("grün", "not in base64"),
        (f"data:image/png;base64,{PNG}", "is a data address; send what follows its comma"),
        ("photos/cat.jpg", "is the name of a file"),
        ("https://example.org/cat.jpg", "is an address"),
    ],
)
def test_what_is_no_base64_is_rejected_and_never_guessed(value: object, told: str) -> None:
    with pytest.raises(BadInferenceRequest, match=told) as caught:
        files_of_json([PNG, value], 2, WHERE)

    assert str(caught.value).startswith("data[1] of the input 'image' is ")


def test_another_number_of_elements_is_rejected() -> None:
    with pytest.raises(BadInferenceRequest, match="announces 3 elements, but `data` has 1"):
        files_of_json([PNG], 3, WHERE)
