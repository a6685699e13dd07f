"""A route that takes an upload as /quantize does, and leaves it at that."""

from starlette.responses import Response

from service.api.dependencies import AdmittedService, ImageUpload, PngOrJson, QuantizeParameters


async def no_op(
    media_type: PngOrJson, service: AdmittedService, upload: ImageUpload, options: QuantizeParameters
) -> Response:
    """One word, after all that stands before the work of /quantize."""
    return Response(b"done", media_type="text/plain")
