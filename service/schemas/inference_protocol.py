"""JSON objects of the Open Inference Protocol, version 2, which KServe and Triton define: requests and responses.

Requests are strict: an unknown member is an error, since it is a misspelled or misplaced one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StrictBool, StrictInt, StrictStr, WithJsonSchema

from service.schemas.base import Report

PREFIX = "/v2"
"""Beginning of the path of every endpoint of the protocol."""
EXTENSIONS = ("binary_tensor_data", "parameters")
"""Extensions of the protocol that the service supports, by the names that Triton gives them."""
HEADER_LENGTH = "Inference-Header-Content-Length"
"""Header with the bytes of the JSON object that binary data follow, in requests and responses."""

Datatype = Literal["BOOL", "BYTES", "FP32", "INT32"]
"""Types of the tensors that the service receives or returns."""
Parameter = StrictBool | StrictInt | FiniteFloat | StrictStr
Parameters = dict[str, Parameter]
Element = str | bool | int | float
"""An element of a tensor in JSON."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class RequestInput(_Request):
    """One input tensor."""

    name: str = Field(examples=["image"])
    shape: list[int] = Field(description="[n] for n images.", examples=[[1]])
    datatype: str = Field(examples=["BYTES"])
    parameters: Parameters = Field(
        default_factory=dict,
        description="`binary_data_size`: bytes of the tensor among the binary data after the JSON object. "
        "`content_type`: `base64`, which is the only coding of BYTES in JSON here.",
    )
    data: Annotated[
        list[Any] | None,
        WithJsonSchema({"type": "array", "items": {"type": "string", "contentEncoding": "base64"}}),
    ] = Field(
        None,
        description='Files of the images: each a string in base64 (RFC 4648, section 4), or an object {"b64": STRING}. '
        "Left out where the tensor is among the binary data.",
    )


class RequestedOutput(_Request):
    """One output tensor that the response should hold."""

    name: str = Field(examples=["image"])
    parameters: Parameters = Field(
        default_factory=dict,
        description="`binary_data`: whether the tensor is returned as binary data after the JSON object.",
    )


class InferenceRequest(_Request):
    """Body of POST /v2/models/{model}/infer."""

    id: str | None = Field(None, description="Returned in the response.", examples=["42"])
    model_name: str | None = Field(None, description="Name of the model in the path, which some clients repeat.")
    model_version: str | None = Field(None, description="Version of the model, which some clients repeat.")
    parameters: Parameters = Field(
        default_factory=dict,
        description="Options of `/quantize` or `/classify`, and `binary_data_output`: whether outputs are returned as "
        "binary data unless they state otherwise.",
        examples=[{"colors": 2}],
    )
    inputs: list[RequestInput]
    outputs: list[RequestedOutput] | None = Field(None, description="If left out: every output.")


class ResponseOutput(Report):
    """One output tensor."""

    name: str = Field(examples=["image"])
    shape: list[int] = Field(examples=[[1]])
    datatype: Datatype = Field(examples=["BYTES"])
    parameters: Parameters = Field(
        description="`content_type` of BYTES in JSON: `base64` for files, `str` for text. `binary_data_size`: bytes of "
        "the tensor among the binary data after the JSON object."
    )
    data: list[Element] | None = Field(None, description="Elements, row by row; absent for binary data.")


class InferenceResponse(Report):
    """Response of POST /v2/models/{model}/infer."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str = Field(examples=["quantize"])
    model_version: str = Field(examples=["5f2c0d1e9a3b4c6d"])
    id: str | None = Field(None, description="The id of the request; absent without one.")
    parameters: Parameters = Field(
        description="`sha256`: SHA-256 of the checkpoint of each network in the output `model`, as in the header "
        "X-Model-SHA256; `none` for a classical method."
    )
    outputs: list[ResponseOutput]


class TensorMetadata(Report):
    """An input or output of a model."""

    name: str = Field(examples=["image"])
    datatype: Datatype = Field(examples=["BYTES"])
    shape: list[int] = Field(description="-1 stands for any number.", examples=[[-1]])


class ModelMetadata(Report):
    """Response of GET /v2/models/{model}."""

    name: str = Field(examples=["quantize"])
    versions: list[str] = Field(
        description="The only version: the first 16 digits of the SHA-256 of the checkpoint or, for `quantize` and "
        "`classify`, the digest in X-Models-Digest.",
        examples=[["5f2c0d1e9a3b4c6d"]],
    )
    platform: str = Field(examples=["pytorch"])
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelList(Report):
    """Response of GET /v2/models."""

    models: list[str] = Field(examples=[["quantize", "classify"]])


class ServerMetadata(Report):
    """Response of GET /v2."""

    name: str = Field(examples=["colorcnn-service"])
    version: str = Field(examples=["0.1.0"])
    extensions: list[str] = Field(examples=[list(EXTENSIONS)])


class ServerLive(Report):
    """Response of GET /v2/health/live of a process that need not be restarted."""

    live: Literal[True]


class ServerReady(Report):
    """Response of GET /v2/health/ready of a service that is ready."""

    ready: Literal[True]


class ModelReady(Report):
    """Response of GET /v2/models/{model}/ready of a service that is ready."""

    name: str = Field(examples=["quantize"])
    ready: Literal[True]


class InferenceError(Report):
    """Body of every error response under /v2."""

    error: str = Field(description="Cause of the error in this request, and advice.")
