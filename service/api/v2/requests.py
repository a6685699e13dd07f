"""Inference requests of the Open Inference Protocol: from a body to the files of images and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import ValidationError

from service.api.v2.models import INPUT, ServedModel
from service.api.v2.tensors import files_of_binary, files_of_json
from service.errors import BadInferenceRequest
from service.schemas.benchmark_options import MAX_IMAGES
from service.schemas.inference_protocol import HEADER_LENGTH, InferenceRequest, Parameter, Parameters, RequestInput

_MOST_VALUES = 10_000  # commas and brackets in JSON, so that no body of megabytes becomes gigabytes of objects
_BINARY_DATA_SIZE = "binary_data_size"
_BINARY_DATA = "binary_data"
_BINARY_DATA_OUTPUT = "binary_data_output"
_CONTENT_TYPE = "content_type"
_BASE64 = "base64"


@dataclass(frozen=True)
class InferenceCall:
    """What an inference request asks for.

    files: of the images, one or more. options: as texts, by name. outputs: names of the outputs to return, and whether
    each is returned as binary data; None for every output. binary: whether outputs are binary data by default.
    id: from the client; None without one.
    """

    files: tuple[bytes, ...]
    options: tuple[tuple[str, str], ...] = ()
    outputs: Mapping[str, bool] | None = None
    binary: bool = False
    id: str | None = None

    def is_binary(self, output: str) -> bool:
        """Return whether an output is returned as binary data."""
        return self.binary if self.outputs is None else self.outputs[output]


@dataclass
class _BinaryData:
    """The binary data after the JSON object, which the inputs take in their order."""

    data: bytes
    at: int = field(default=0)

    def take(self, size: int, where: str) -> bytes:
        if self.at + size > len(self.data):
            raise BadInferenceRequest(
                f"{where} announces {size} bytes of binary data, but {len(self.data) - self.at} are left in the body; "
                "send all of them."
            )
        self.at += size
        return self.data[self.at - size : self.at]

    def end(self) -> None:
        if self.at < len(self.data):
            raise BadInferenceRequest(
                f"{len(self.data) - self.at} bytes of binary data belong to no input; state the size of each input as "
                f"its parameter `{_BINARY_DATA_SIZE}`, and that of the JSON object in {HEADER_LENGTH}."
            )


def read_call(body: bytes, header_lengths: Sequence[str], model: ServedModel) -> InferenceCall:
    """Return what the body of an inference request asks `model` for.

    header_lengths: values of the header Inference-Header-Content-Length. 0 stands for a raw request: the body is the
    file of one image, and every output is returned as binary data.

    Raises:
        BadInferenceRequest: the body does not follow the protocol, or names no tensor of the model.
    """
    length = _header_length(header_lengths, len(body))
    if length == 0:
        return InferenceCall((body,), binary=True)
    head = body if length is None else body[:length]
    request = _parse(head, whole=length is None)
    _check_names(request, model)
    binary = None if length is None else _BinaryData(body[length:])
    files = _files(_only_input(request, model), binary)
    if binary:
        binary.end()
    by_default = _flag(request.parameters, _BINARY_DATA_OUTPUT, "The request", False)
    options = tuple((name, _text(value)) for name, value in request.parameters.items() if name != _BINARY_DATA_OUTPUT)
    return InferenceCall(tuple(files), options, _outputs(request, model, by_default), by_default, request.id)


def _header_length(values: Sequence[str], most: int) -> int | None:
    if not values:
        return None
    text = values[0].strip()
    if len(values) > 1 or not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadInferenceRequest(f"{HEADER_LENGTH} is {', '.join(values)!r:.80}; send one number in plain digits.")
    if int(text) > most:
        raise BadInferenceRequest(
            f"{HEADER_LENGTH} is {text}, but the body has {most} bytes; send the number of bytes of its JSON object."
        )
    return int(text)


def _parse(head: bytes, *, whole: bool) -> InferenceRequest:
    if sum(map(head.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise BadInferenceRequest(
            f"The JSON object has more than {_MOST_VALUES:,} values. Send the files of images as BYTES, in base64 or "
            "as binary data, not their pixels."
        )
    try:
        return InferenceRequest.model_validate_json(head)
    except ValidationError as error:
        raise BadInferenceRequest(_explanation(error, whole=whole)) from None


def _explanation(error: ValidationError, *, whole: bool) -> str:
    """Return a sentence about the first error; the others may follow from it."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    message = found["msg"]
    if found["type"] == "json_invalid":
        part = "body" if whole else f"part of the body that {HEADER_LENGTH} announces"
        reason = message.removeprefix("Invalid JSON: ")
        return f"The {part} is not a JSON object: {reason}. Send an inference request, with images in `inputs`."
    where = ".".join(map(str, found["loc"]))
    if "parameters" in found["loc"][:-1]:  # the error would name but one of the types that a value may have
        return f"{where.rpartition('.')[0]:.80} of the inference request: values are numbers, texts, true or false."
    if found["type"] == "extra_forbidden":
        return f"The inference request has no member {where!r:.80}; options belong in `parameters`."
    if not where:
        return "The body is not a JSON object. Send an inference request, with images in `inputs`."
    return f"{where:.80} of the inference request: {message[0].lower()}{message[1:]}."


def _check_names(request: InferenceRequest, model: ServedModel) -> None:
    """Raise for a name or a version of the model that differs from the path."""
    for member, named, served in (
        ("model_name", request.model_name, model.name),
        ("model_version", request.model_version, model.version),
    ):
        if named not in (None, "", served):
            raise BadInferenceRequest(
                f"`{member}` is {named!r:.80}, but the path leads to {served!r}; let both agree, or leave it out."
            )


def _only_input(request: InferenceRequest, model: ServedModel) -> RequestInput:
    for each in request.inputs:
        if each.name != INPUT:
            raise BadInferenceRequest(
                f"The model {model.name!r} has no input {each.name!r:.80}; it has one, {INPUT!r}, BYTES of shape [n]."
            )
    if len(request.inputs) != 1:
        raise BadInferenceRequest(
            f"The request has {len(request.inputs)} inputs; send one input, {INPUT!r}, with up to {MAX_IMAGES} images."
        )
    return request.inputs[0]


def _files(tensor: RequestInput, binary: _BinaryData | None) -> list[bytes]:
    where = f"the input {tensor.name!r}"
    if tensor.datatype != "BYTES":
        raise BadInferenceRequest(
            f"The datatype of {where} is {tensor.datatype!r:.80}; send 'BYTES': each element is the file of an image, "
            "such as a JPEG, not its pixels."
        )
    if len(tensor.shape) != 1 or not 1 <= tensor.shape[0] <= MAX_IMAGES:
        raise BadInferenceRequest(
            f"The shape of {where} is {tensor.shape!s:.80}; send [n], where n is the number of images, 1 to "
            f"{MAX_IMAGES}."
        )
    _check_parameters(tensor.parameters, (_BINARY_DATA_SIZE, _CONTENT_TYPE), where)
    size = tensor.parameters.get(_BINARY_DATA_SIZE)
    if (size is None) == (tensor.data is None):
        raise BadInferenceRequest(
            f"Of {where}, send either `data` or the parameter `{_BINARY_DATA_SIZE}`"
            f"{', not both' if tensor.data is not None else ''}."
        )
    if tensor.data is not None:
        if tensor.parameters.get(_CONTENT_TYPE, _BASE64) != _BASE64:
            raise BadInferenceRequest(
                f"The `{_CONTENT_TYPE}` of {where} is {tensor.parameters[_CONTENT_TYPE]!r:.80}; in JSON it can only be "
                f"{_BASE64!r}."
            )
        return files_of_json(tensor.data, tensor.shape[0], where)
    return files_of_binary(_binary_data(tensor, size, binary, where), tensor.shape[0], where)


def _binary_data(tensor: RequestInput, size: Parameter | None, binary: _BinaryData | None, where: str) -> bytes:
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise BadInferenceRequest(f"`{_BINARY_DATA_SIZE}` of {where} is {size!r:.80}; send the number of bytes.")
    if binary is None:
        raise BadInferenceRequest(
            f"{where[0].upper()}{where[1:]} announces binary data, but the request has no header {HEADER_LENGTH}; send "
            "the number of bytes of the JSON object there."
        )
    if _CONTENT_TYPE in tensor.parameters:
        raise BadInferenceRequest(
            f"The binary data of {where} are the files themselves; leave out its parameter `{_CONTENT_TYPE}`."
        )
    return binary.take(size, f"{where[0].upper()}{where[1:]}")


def _outputs(request: InferenceRequest, model: ServedModel, by_default: bool) -> Mapping[str, bool] | None:
    if not request.outputs:
        return None
    outputs: dict[str, bool] = {}
    known = model.outputs
    for each in request.outputs:
        if each.name not in known:
            raise BadInferenceRequest(
                f"The model {model.name!r} has no output {each.name!r:.80}; its outputs are {', '.join(known)}."
            )
        if each.name in outputs:
            raise BadInferenceRequest(f"The output {each.name!r} is requested twice; request it once.")
        where = f"the output {each.name!r}"
        _check_parameters(each.parameters, (_BINARY_DATA,), where)
        outputs[each.name] = _flag(each.parameters, _BINARY_DATA, f"T{where[1:]}", by_default)
    return outputs


def _check_parameters(given: Parameters, known: Sequence[str], where: str) -> None:
    for name in given:
        if name not in known:
            raise BadInferenceRequest(
                f"The parameter {name!r:.80} of {where} is not supported; leave it out. Supported here: "
                f"{', '.join(known)}."
            )


def _flag(parameters: Parameters, name: str, where: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise BadInferenceRequest(f"{where} has the parameter `{name}` {value!r:.80}; send true or false.")
    return value


def _text(value: Parameter) -> str:
    """Return a parameter as the text that a form would hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    return str(value)
