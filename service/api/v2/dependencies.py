"""Dependencies of the handlers of the Open Inference Protocol, as annotated types."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from models.errors import BadOption
from service.api.dependencies import AdmittedService, ReadyService
from service.api.v2.models import ServedModel, find_model
from service.api.v2.requests import InferenceCall, read_call
from service.http.uploads import read_bytes
from service.lifecycle import Service
from service.schemas.inference_protocol import HEADER_LENGTH

_FEW_BYTES = 1 << 16  # that are parsed in the event loop


async def _model(request: Request, service: ReadyService) -> ServedModel:
    return find_model(service.engine.catalog, request.path_params["model"], request.path_params.get("version"))


Model = Annotated[ServedModel, Depends(_model)]
"""The model of the path."""


# The body is read after admission, so that a rejected request is not read.
async def _call(request: Request, model: Model, service: AdmittedService) -> InferenceCall:
    for name in request.query_params:
        raise BadOption(f"The query has {name!r:.80}, but options of this endpoint belong in `parameters` of the body.")
    settings = service.settings
    body = await read_bytes(request, max_bytes=settings.max_upload_bytes, timeout=settings.upload_timeout)
    return await _parsed(body, request.headers.getlist(HEADER_LENGTH), model, service)


async def _parsed(body: bytes, lengths: list[str], model: ServedModel, service: Service) -> InferenceCall:
    if len(body) <= _FEW_BYTES:
        return read_call(body, lengths, model)
    return await service.pipeline.in_thread(partial(read_call, body, lengths, model))


Call = Annotated[InferenceCall, Depends(_call, scope="function")]
"""What the request asks the model of the path for."""
