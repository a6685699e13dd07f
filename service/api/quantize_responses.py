"""Results of /quantize as responses: a file with its headers, a report, or an empty response."""

from __future__ import annotations

import base64

import numpy as np
from starlette.responses import Response

from service.api.model_headers import hash_of
from service.api.responses import common_headers, json_response, label_headers, quantized_headers, recognition_report
from service.http.disposition import content_disposition, result_name
from service.inference.quantization import Quantized
from service.schemas.media_types import JSON, MEDIA_TYPES, RAW
from service.schemas.reports import QuantizeReport

_EXTENSIONS = {"png": "png", "webp": "webp", "raw": "bin", "packed": "packed"}
_LARGER = "the file has no fewer bytes than the upload"


def quantize_response(result: Quantized, media_type: str, *, skip_if_larger: bool = False) -> Response:
    """Return the file of the quantized image, or the full report as JSON; an empty response for a file to skip."""
    headers = file_headers(result)
    if skip_if_larger and result.is_larger:
        return Response(status_code=204, headers=headers)
    headers["Content-Disposition"] = content_disposition(file_name(result))
    if media_type == JSON:
        report = quantize_report(result)
        return json_response(report, headers, embedded=len(report.png))
    if media_type == RAW:
        headers |= _raw_headers(result)
    return Response(result.file, headers=headers, media_type=MEDIA_TYPES[result.format])


def file_name(result: Quantized) -> str:
    """Return the name of the file of a result."""
    return result_name(result.upload_name, result.image.colors, _EXTENSIONS[result.format])


def file_headers(result: Quantized) -> dict[str, str]:
    """Return the headers that describe a quantized image."""
    headers = quantized_headers(result.selection, result.sha256, colors_used(result), result.bits_per_pixel)
    headers |= common_headers(result.timings, all_notes(result))
    headers["X-Upload-Bytes"] = str(result.upload_bytes)
    if result.goals_met is not None:
        headers["X-Goals-Met"] = "true" if result.goals_met else "false"
    if result.is_larger:
        headers["X-Larger-Than-Upload"] = "true"
    if result.recognition:
        headers |= label_headers(result.recognition.before, result.recognition.after)
    return headers


def quantize_report(result: Quantized) -> QuantizeReport:
    """Return the report on a quantized image."""
    alpha = result.image.alpha
    return QuantizeReport(
        model=result.selection.model,
        model_sha256=hash_of(result.selection.model, result.sha256),
        method=result.selection.method,
        fidelity=result.selection.fidelity,
        dither=result.selection.dither,
        recognizers=list(result.selection.recognizers),
        width=result.image.width,
        height=result.image.height,
        palette=list(result.image.hex_palette()),
        counts=result.image.counts().tolist(),
        alpha=None if alpha is None else alpha.tolist(),
        bytes=len(result.file),
        upload_bytes=result.upload_bytes,
        bits_per_pixel=result.bits_per_pixel,
        goals_met=result.goals_met,
        filename=file_name(result),
        png=base64.b64encode(result.file).decode("ascii"),
        recognition=result.recognition and recognition_report(result.recognition, result.sha256),
        notes=list(all_notes(result)),
    )


def colors_used(result: Quantized) -> int:
    """Return the number of colors in the image; a fixed palette may have entries that no pixel uses."""
    return result.image.colors if result.selection.palette is None else int(np.count_nonzero(result.image.counts()))


def all_notes(result: Quantized) -> tuple[str, ...]:
    """Return the notes on an image, and one where its file has no fewer bytes than the upload."""
    return (*result.notes, _LARGER) if result.is_larger else result.notes


def _raw_headers(result: Quantized) -> dict[str, str]:
    """Return what a reader of packed indices needs to know."""
    return {
        "X-Width": str(result.image.width),
        "X-Height": str(result.image.height),
        "X-Bit-Depth": str(result.image.bit_depth),
        "X-Palette": ",".join(result.image.hex_palette()),
    }
