"""A route that reads and checks an upload as /quantize does, and does no work on it."""

from starlette.responses import Response

from service.api.dependencies import AdmittedService, ImageUpload, PngOrJson, QuantizeParameters


async def no_op(
    media_type: PngOrJson, service: AdmittedService, upload: ImageUpload, options: QuantizeParameters
) -> Response:
    """Return one word after the same dependencies as /quantize."""
    return Response(b"done", media_type="text/plain")
