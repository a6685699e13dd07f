"""The response to /quantize: of one image or of several, unless the client has it already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import anyio
from fastapi import Request
from starlette.responses import Response

from service.api.bundles import bundle_response
from service.api.formats import file_format
from service.api.quantize_responses import quantize_response
from service.http.etags import Remembered, etag_of, matches, request_key
from service.inference.pipeline import Pipeline
from service.inference.several import quantize_several
from service.runtime.timing import Timings
from service.schemas.media_types import MIXED, PNG, ZIP
from service.schemas.options import QuantizeOptions
from service.schemas.upload import UploadedFile

_FEW_BYTES = 1 << 16  # that are hashed in the event loop


class Quantizing:
    """Responses to /quantize.

    Args:
        models_digest: returns what distinguishes the weights of this service from others, for the entity tags.
        observe: gets the timings of each response to one image.
    """

    def __init__(
        self, pipeline: Pipeline, models_digest: Callable[[], str | None], observe: Callable[[Timings], None]
    ) -> None:
        self._pipeline = pipeline
        self._models_digest = models_digest
        self._observe = observe
        self._remembered = Remembered()

    async def respond(
        self, request: Request, uploads: Sequence[UploadedFile], options: QuantizeOptions, media_type: str
    ) -> Response:
        """Return the response; 304 where If-None-Match names its entity tag."""
        wanted = request.headers.get("if-none-match")
        key = await _key(uploads, options, media_type)
        known = self._remembered.find(key)
        if wanted and known and matches(wanted, known):
            return _not_modified({"ETag": known, "Vary": "Accept"})
        if len(uploads) == 1 and media_type not in (ZIP, MIXED):
            response = await self._one(uploads[0], options, media_type)
        else:
            response = await self._several(request, uploads, options, media_type)
        if response.status_code != 200 or media_type.startswith(MIXED):  # the boundary is random
            return response
        etag = etag_of(bytes(response.body), self._models_digest() or "")
        self._remembered.keep(key, etag)
        response.headers["ETag"] = etag
        return _not_modified(dict(response.headers)) if wanted and matches(wanted, etag) else response

    async def _one(self, upload: UploadedFile, options: QuantizeOptions, media_type: str) -> Response:
        result = await self._pipeline.quantize(upload, options, file_format(media_type))
        self._observe(result.timings)
        shape = partial(quantize_response, result, media_type, skip_if_larger=options.skip_if_larger)
        if media_type == PNG:  # only headers remain to be built, which is not worth a thread
            return shape()
        return await anyio.to_thread.run_sync(shape)

    async def _several(
        self, request: Request, uploads: Sequence[UploadedFile], options: QuantizeOptions, media_type: str
    ) -> Response:
        results = await quantize_several(self._pipeline, uploads, options, file_format(media_type))
        shape = partial(
            bundle_response,
            results,
            media_type,
            str(request.state.request_id),
            skip_if_larger=options.skip_if_larger,
        )
        return await anyio.to_thread.run_sync(shape)


async def _key(uploads: Sequence[UploadedFile], options: QuantizeOptions, media_type: str) -> bytes:
    """Return what decides the response, as a digest."""
    parts = [media_type.encode(), options.model_dump_json().encode()]
    parts += [part for upload in uploads for part in (upload.name.encode("utf-8", "surrogatepass"), upload.data)]
    if sum(map(len, parts)) <= _FEW_BYTES:
        return request_key(parts)
    return await anyio.to_thread.run_sync(request_key, parts)


def _not_modified(headers: dict[str, str]) -> Response:
    """Return 304 with the headers of the full response but for those that describe its body."""
    described = {"content-length", "content-type", "content-disposition"}
    return Response(status_code=304, headers={k: v for k, v in headers.items() if k.lower() not in described})
