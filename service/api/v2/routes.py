"""The endpoints of the Open Inference Protocol, version 2, beside those of the service itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.dependencies import AdmittedService, AnyService, ReadyService, StageObserver
from service.api.endpoints import Handler, get_and_head
from service.api.v2 import operations
from service.api.v2.answers import inference_response
from service.api.v2.dependencies import Call, Model
from service.api.v2.infer import infer as infer_all
from service.api.v2.models import metadata, served_models
from service.http.disconnect import cancel_on_disconnect
from service.schemas.inference_protocol import (
    EXTENSIONS,
    PREFIX,
    ModelList,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
)

NAME = "colorcnn-service"
INFER_PATHS = tuple(f"{PREFIX}/models/{{model}}{version}/infer" for version in ("", "/versions/{version}"))
"""Paths of inference requests."""
_TAG = "open inference protocol"

router = APIRouter(prefix=PREFIX)
"""Endpoints behind the access checks."""
probes = APIRouter(prefix=PREFIX)
"""Endpoints without access checks."""


def _about_server(on: APIRouter, path: str) -> Callable[[Handler], Handler]:
    return get_and_head(on, path, _TAG, **operations.ABOUT_SERVER)


def _about_model(on: APIRouter, path: str) -> Callable[[Handler], Handler]:
    return get_and_head(on, path, _TAG, **operations.ABOUT_MODEL)


@_about_server(probes, "/health/live")
async def server_live(service: AnyService) -> ServerLive:
    """Report liveness as `GET /healthz` does."""
    service.require_alive()
    return ServerLive(live=True)


@_about_server(probes, "/health/ready")
async def server_ready(_: ReadyService) -> ServerReady:
    """Report readiness as `GET /readyz` does."""
    return ServerReady(ready=True)


@_about_model(probes, "/models/{model}/ready")
async def model_ready(model: Model) -> ModelReady:
    """Report that the model can be asked; its first request may have to load its network."""
    return ModelReady(name=model.name, ready=True)


@_about_server(router, "")
async def server_metadata(request: Request) -> ServerMetadata:
    """Return the name and the version of the service, and the extensions of the protocol that it supports."""
    return ServerMetadata(name=NAME, version=request.app.version, extensions=list(EXTENSIONS))


@_about_server(router, "/models")
async def model_list(service: ReadyService) -> ModelList:
    """List the models of the protocol: `quantize`, `classify`, and every network by its name."""
    return ModelList(models=list(served_models(service.engine.catalog)))


@_about_model(router, "/models/{model}")
async def model_metadata(model: Model) -> ModelMetadata:
    """Return the version, the input and the outputs of a model."""
    return metadata(model)


@router.post("/models/{model}/infer", tags=[_TAG], response_class=Response, **operations.INFER)
async def infer(
    request: Request, service: AdmittedService, model: Model, call: Call, observe: StageObserver
) -> Response:
    """Quantize or classify up to 32 images, sent as BYTES in base64 or as binary data."""
    inferred = await cancel_on_disconnect(request.receive, partial(infer_all, service, call, model))
    for timings in inferred.timings:
        observe(timings)
    return await anyio.to_thread.run_sync(inference_response, inferred, call, model)


# A client that names the version of a model gets that version or an error. The document shows each operation once.
for _on, _path, _method, _handler in (
    (probes, "/ready", ["GET", "HEAD"], model_ready),
    (router, "", ["GET", "HEAD"], model_metadata),
    (router, "/infer", ["POST"], infer),
):
    _on.add_api_route(
        f"/models/{{model}}/versions/{{version}}{_path}", _handler, methods=_method, include_in_schema=False
    )
