"""Inference responses of the Open Inference Protocol: a JSON object, and binary data after it where they are wanted."""

from __future__ import annotations

from starlette.responses import Response

from service.api.model_headers import MODEL_HASH
from service.api.v2.infer import Inferred
from service.api.v2.models import ServedModel
from service.api.v2.requests import InferenceCall
from service.api.v2.tensors import Tensor, to_binary, to_json
from service.http.encoded_responses import UNTOUCHED
from service.http.headers import server_timing
from service.schemas.inference_protocol import HEADER_LENGTH, InferenceResponse, Parameters, ResponseOutput
from service.schemas.media_types import JSON

_BINARY = "application/octet-stream"
_NO_HASH = "none"  # of a classical method


def inference_response(inferred: Inferred, call: InferenceCall, model: ServedModel) -> Response:
    """Return the response to an inference request."""
    binary = {each.name: to_binary(each) for each in inferred.tensors if call.is_binary(each.name)}
    outputs = [_output(each, binary.get(each.name)) for each in inferred.tensors]
    head = InferenceResponse(
        model_name=model.name,
        model_version=model.version,
        id=call.id,
        parameters={"sha256": inferred.headers.get(MODEL_HASH, _NO_HASH)},
        outputs=outputs,
    )
    text = head.model_dump_json(exclude_none=True).encode()
    headers = dict(inferred.headers)
    if len(inferred.timings) == 1:
        headers["Server-Timing"] = server_timing(inferred.timings[0])
    if binary:
        headers[HEADER_LENGTH] = str(len(text))
        return Response(text + b"".join(binary.values()), headers=headers, media_type=_BINARY)
    embedded = sum(len(str(value)) for each in outputs if _is_base64(each) for value in each.data or ())
    untouched = UNTOUCHED if 2 * embedded > len(text) else {}
    return Response(text, headers=headers | dict(untouched), media_type=JSON)


def _output(tensor: Tensor, binary: bytes | None) -> ResponseOutput:
    parameters: Parameters = {}
    if binary is not None:
        parameters["binary_data_size"] = len(binary)
    elif tensor.content is not None:
        parameters["content_type"] = tensor.content
    data = to_json(tensor) if binary is None else None
    return ResponseOutput(
        name=tensor.name, shape=list(tensor.shape), datatype=tensor.datatype, parameters=parameters, data=data
    )


def _is_base64(output: ResponseOutput) -> bool:
    return output.parameters.get("content_type") == "base64"
