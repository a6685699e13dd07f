"""Requests of the protocol: what each asks for, and one sentence about each mistake."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ColorCNNError
from service.api.v2.models import ServedModel
from service.api.v2.requests import InferenceCall, read_call
from service.errors import BadInferenceRequest
from tests.service.api.v2.calls import LENGTH, in_binary, in_json, packed, tensor
from tests.service.images import DRAWING, PHOTO

MODEL = ServedModel("quantize", "123456789abc", "quantize")


def read(body: bytes, *lengths: str) -> InferenceCall:
    return read_call(body, lengths, MODEL)


def test_json_and_binary_data_ask_for_the_same() -> None:
    members: dict[str, Any] = {"id": "7", "parameters": {"colors": 2}, "outputs": [{"name": "palette"}]}
    body, headers = in_binary(DRAWING, PHOTO, **members)

    assert read(in_json(tensor(DRAWING, PHOTO), **members)) == read(body, headers[LENGTH])
    assert read(body, headers[LENGTH]) == InferenceCall(
        (DRAWING, PHOTO), (("colors", "2"),), {"palette": False}, id="7"
    )


def test_a_raw_request_is_one_file_and_wants_binary_data() -> None:
    assert read(PHOTO, "0") == InferenceCall((PHOTO,), binary=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [(4, "4"), (True, "true"), (False, "false"), (0.5, "0.5"), (1.0, "1"), (1e-7, "0.0000001"), ("auto", "auto")],
)
def test_parameters_become_the_texts_of_options(value: object, text: str) -> None:
    assert read(in_json(parameters={"option": value})).options == (("option", text),)


@pytest.mark.parametrize(
    ("parameters", "requested", "binary"),
    [
        ({}, None, False),
        ({"binary_data_output": True}, None, True),
        ({"binary_data_output": True}, {}, True),
        ({}, {"binary_data": True}, True),
        ({"binary_data_output": True}, {"binary_data": False}, False),
    ],
)
def test_an_output_decides_on_its_coding_before_the_request(
    parameters: dict[str, bool], requested: dict[str, bool] | None, binary: bool
) -> None:
    outputs = None if requested is None else [{"name": "image", "parameters": requested}]
    call = read(in_json(parameters=parameters, outputs=outputs))

    assert call.is_binary("image") is binary and call.options == ()


@pytest.mark.parametrize("members", [{"model_name": "quantize", "model_version": MODEL.version}, {"outputs": []}])
def test_members_that_clients_repeat_or_leave_empty_are_accepted(members: dict[str, Any]) -> None:
    assert read(in_json(**members)) == InferenceCall((DRAWING,))


SIZED = {"binary_data_size": len(packed(DRAWING))}
BAD_TENSORS: dict[str, tuple[dict[str, Any], str]] = {
    "another name": ({"name": "x"}, "has no input 'x'; it has one, 'image'"),
    "pixels": ({"datatype": "UINT8"}, "datatype of the input 'image' is 'UINT8'; send 'BYTES'"),
    "a lower-case datatype": ({"datatype": "bytes"}, "is 'bytes'; send 'BYTES'"),
    "the shape of pixels": ({"shape": [1, 224, 224, 3]}, r"is \[1, 224, 224, 3\]; send \[n\]"),
    "no dimension": ({"shape": []}, r"is \[\]; send \[n\]"),
    "no image": ({"shape": [0], "data": []}, r"is \[0\]; send \[n\]"),
    "too many images": ({"shape": [33]}, "number of images, 1 to 32"),
    "a negative number": ({"shape": [-1]}, r"is \[-1\]; send \[n\]"),
    "a fraction": ({"shape": [1.5]}, "inputs.0.shape.0 of the inference request: input should be a valid integer"),
    "a text as a shape": ({"shape": "1"}, "inputs.0.shape of the inference request: input should be a valid"),
    "more than the data": ({"shape": [2]}, "announces 2 elements, but `data` has 1"),
    "neither data nor a size": ({"data": None}, "send either `data` or the parameter `binary_data_size`"),
    "both": ({"parameters": SIZED}, "not both"),
    "an unknown member": ({"content": []}, "has no member 'inputs.0.content'"),
    "another coding": ({"parameters": {"content_type": "hex"}}, "is 'hex'; in JSON it can only be 'base64'"),
    "shared memory": ({"parameters": {"shared_memory_region": "r"}}, "'shared_memory_region' .* is not supported"),
    "a list as a parameter": ({"parameters": {"a": []}}, "parameters.a .*: values are numbers, texts, true or false"),
    "a size that is a text": ({"data": None, "parameters": {"binary_data_size": "9"}}, "is '9'; send the number"),
    "a size that is true": ({"data": None, "parameters": {"binary_data_size": True}}, "is True; send the number"),
    "a negative size": ({"data": None, "parameters": {"binary_data_size": -1}}, "is -1; send the number"),
    "a size without the header": (
        {"data": None, "parameters": SIZED},
        f"^The input .* announces binary data, but .* has no header {LENGTH}",
    ),
}


@pytest.mark.parametrize("mistake", BAD_TENSORS)
def test_a_mistake_in_the_input_is_named(mistake: str) -> None:
    changes, told = BAD_TENSORS[mistake]
    with pytest.raises(BadInferenceRequest, match=told):
        read(in_json(tensor(DRAWING, **changes)))


BAD_MEMBERS: dict[str, tuple[dict[str, Any], str]] = {
    "another model": ({"model_name": "other"}, "`model_name` is 'other', but the path leads to 'quantize'"),
    "another version": ({"model_version": "1"}, "`model_version` is '1', but the path leads to '123456789abc'"),
    "an option beside the parameters": ({"colors": 2}, "has no member 'colors'; options belong in `parameters`"),
    "a number as id": ({"id": 7}, "id of the inference request: input should be a valid string"),
    "an option of objects": ({"parameters": {"colors": {}}}, "parameters.colors .*: values are numbers, texts"),
    "no flag": ({"parameters": {"binary_data_output": "yes"}}, "`binary_data_output` 'yes'; send true or false"),
    "an unknown output": ({"outputs": [{"name": "x"}]}, "has no output 'x'; its outputs are image, method"),
    "an output twice": ({"outputs": [{"name": "image"}] * 2}, "'image' is requested twice"),
    "no flag of an output": (
        {"outputs": [{"name": "image", "parameters": {"binary_data": 1}}]},
        "The output 'image' has the parameter `binary_data` 1; send true or false",
    ),
    "classification": (
        {"outputs": [{"name": "image", "parameters": {"classification": 3}}]},
        "'classification' of the output 'image' is not supported",
    ),
    "inputs that are no list": ({"inputs": 7}, "inputs of the inference request: input should be a valid array"),
    "no inputs": ({"inputs": []}, "has 0 inputs; send one input, 'image'"),
    "two inputs": ({"inputs": [tensor(DRAWING)] * 2}, "has 2 inputs; send one input"),
}


@pytest.mark.parametrize("mistake", BAD_MEMBERS)
def test_a_mistake_in_the_request_is_named(mistake: str) -> None:
    members, told = BAD_MEMBERS[mistake]
    with pytest.raises(BadInferenceRequest, match=told):
        read(in_json(**members))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "The body is not a JSON object: EOF"),
        (PHOTO, "The body is not a JSON object"),
        (b"[]", "The body is not a JSON object. Send an inference request"),
        (b"{}", "inputs of the inference request: field required"),
        (in_json()[:-1], "The body is not a JSON object: EOF"),
        (in_json() + b"x", "The body is not a JSON object: trailing characters"),
        (b'{"inputs": "\xff"}', "The body is not a JSON object: invalid unicode"),
        (b'{"inputs": "\\ud800"}', "The body is not a JSON object"),
        (b"[" * 9_000, "The body is not a JSON object: recursion limit"),
        (b'{"inputs": [' + b"[]," * 100_000, "more than 10,000 values.* not their pixels"),
    ],
)
def test_what_is_no_request_in_json_is_rejected(body: bytes, told: str) -> None:
    with pytest.raises(BadInferenceRequest, match=told):
        read(body)


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        (["x"], "is 'x'; send one number"),
        (["-1"], "is '-1'; send one number"),
        (["1.0"], "send one number"),
        (["9" * 30], "send one number"),
        (["٤"], "send one number"),
        (["5", "6"], "is '5, 6'; send one number"),
        (["999999999"], "is 999999999, but the body has [0-9]+ bytes"),
        (["3"], f"The part of the body that {LENGTH} announces is not a JSON object"),
    ],
)
def test_a_wrong_length_of_the_json_object_is_named(lengths: list[str], told: str) -> None:
    body, _ = in_binary(DRAWING)
    with pytest.raises(BadInferenceRequest, match=told):
        read(body, *lengths)


def test_a_length_that_cuts_the_json_object_or_goes_on_is_rejected() -> None:
    body, headers = in_binary(DRAWING)
    for wrong in (-1, 1):
        with pytest.raises(BadInferenceRequest, match="is not a JSON object"):
            read(body, str(int(headers[LENGTH]) + wrong))


def test_binary_data_that_are_cut_short_or_belong_to_no_input_are_rejected() -> None:
    body, headers = in_binary(DRAWING)
    with pytest.raises(BadInferenceRequest, match=r"announces \d+ bytes of binary data, but \d+ are left"):
        read(body[:-1], headers[LENGTH])
    with pytest.raises(BadInferenceRequest, match="1 bytes of binary data belong to no input"):
        read(body + b"x", headers[LENGTH])
    whole = in_json()
    with pytest.raises(BadInferenceRequest, match="3 bytes of binary data belong to no input"):
        read(whole + b"abc", str(len(whole)))


def test_binary_data_have_no_content_type() -> None:
    data = packed(DRAWING)
    parameters = {"binary_data_size": len(data), "content_type": "base64"}
    head = in_json(tensor(DRAWING, data=None, parameters=parameters))
    with pytest.raises(BadInferenceRequest, match="are the files themselves; leave out its parameter `content_type`"):
        read(head + data, str(len(head)))


@given(st.binary(max_size=300), st.one_of(st.none(), st.integers(0, 300).map(str)))
def test_no_other_error_leaves_the_reader(body: bytes, length: str | None) -> None:
    try:
        read(body, *([] if length is None else [length]))
    except ColorCNNError as error:
        assert isinstance(error, BadInferenceRequest) and str(error).endswith((".", "?"))


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["image"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["id", "inputs", "outputs", "parameters", "x"]), values, max_size=4),
    st.dictionaries(st.sampled_from(["name", "shape", "datatype", "parameters", "data"]), values, max_size=3),
)
def test_no_other_error_leaves_the_reader_of_any_json(members: dict[str, Any], changes: dict[str, Any]) -> None:
    body = json.dumps({"inputs": [tensor(DRAWING) | changes], **members}).encode()
    try:
        assert read(body).files
    except BadInferenceRequest as error:
        assert str(error)
