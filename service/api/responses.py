"""Results as HTTP responses: PNG, BPG or JSON, with their headers."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from models.codecs.bpg import Coding
from models.evaluation import metrics
from models.names import ModelKind
from models.palettes import PALETTES, NamedPalette, hex_color
from models.prediction import Prediction
from models.zoo.manifest import ModelEntry
from service.api.method_reports import defaults_report, method_reports
from service.api.model_headers import hash_of, model_headers
from service.http.encoded_responses import UNTOUCHED
from service.http.headers import header_text, server_timing
from service.inference.compression import Compressed, Output, Version
from service.inference.engine import Engine
from service.inference.pipeline import Classified, DrawnMap
from service.inference.quantization import Recognition
from service.inference.selection import Selection
from service.runtime.timing import Timings
from service.schemas.benchmark_options import MAX_IMAGES
from service.schemas.media_types import BPG, JSON, PNG
from service.schemas.model_reports import LimitsReport, ModelReport, ModelsReport, PaletteReport
from service.schemas.reports import (
    BpgReport,
    CamReport,
    ClassifyReport,
    CodingReport,
    CompressedFiles,
    CompressReport,
    PredictionReport,
    QuantizedBpgReport,
    ReadyReport,
    RecognitionReport,
    VersionReport,
)
from service.settings import Settings


def classify_response(result: Classified, media_type: str) -> Response:
    """Return the activation map as `image/png` if `result` has one, or the predictions as JSON."""
    headers = model_headers([result.model], {result.model: result.sha256})
    headers |= common_headers(result.timings, result.notes)
    if media_type == PNG and result.cam:
        return Response(result.cam.png, headers=headers | _map_headers(result.cam), media_type=PNG)
    report = ClassifyReport(
        model=result.model,
        model_sha256=result.sha256,
        predictions=[_prediction_report(prediction) for prediction in result.predictions],
        cam=result.cam and CamReport(**_prediction_fields(result.cam.prediction), png=_base64(result.cam.png)),
        notes=list(result.notes),
    )
    return json_response(report, headers, embedded=len(report.cam.png) if report.cam else 0)


COMPRESSED: Mapping[str, Output] = {JSON: "report", BPG: "file", PNG: "picture"}
"""Extent of the work of /compress for each media type."""


def compress_response(result: Compressed) -> Response:
    """Return the wanted part of `result`: the report as JSON, the BPG file, or the decoded BPG file as `image/png`."""
    bits_per_pixel = result.bits_per_pixel(len(result.quantized_bpg.file))
    headers = quantized_headers(result.selection, result.sha256, result.image.colors, bits_per_pixel)
    headers |= common_headers(result.timings, result.notes)
    if result.original.prediction and result.quantized_bpg.prediction:
        headers |= label_headers(result.original.prediction, result.quantized_bpg.prediction)
    if result.picture is not None:
        return Response(result.picture, headers=headers, media_type=PNG)
    if result.original_bpg is None or result.index_map_kept is None:
        return Response(result.quantized_bpg.file, headers=headers, media_type=BPG)
    report = _compress_report(result, result.original_bpg, result.index_map_kept)
    files = report.files
    return json_response(report, headers, embedded=len(files.png) + len(files.bpg) + len(files.original_bpg))


def models_report(engine: Engine, settings: Settings) -> ModelsReport:
    """Return the report on the models of `engine`, and on the limits of `settings`."""
    reports = [_model_report(engine, entry) for entry in engine.catalog.entries]
    return ModelsReport(
        models_digest=engine.catalog.digest,
        models=reports,
        methods=list(engine.catalog.methods()),
        method_details=method_reports(engine.catalog),
        defaults=defaults_report(engine.catalog),
        transfer_classifiers=list(engine.catalog.transfer_classifiers),
        palettes=[_palette_report(palette) for palette in PALETTES.values()],
        limits=LimitsReport(
            upload_bytes=settings.max_upload_bytes,
            pixels=settings.max_pixels,
            benchmark_pixels=settings.benchmark_max_pixels,
            benchmark_images=MAX_IMAGES,
        ),
    )


def ready_report(engine: Engine) -> ReadyReport:
    """Return the report of a service that is ready."""
    loaded = engine.loaded()
    names = [entry.name for entry in engine.catalog.entries]
    return ReadyReport(
        status="ready",
        models_digest=engine.catalog.digest,
        loaded=[name for name in names if name in loaded],
        on_demand=[name for name in names if name not in loaded],
    )


def _palette_report(palette: NamedPalette) -> PaletteReport:
    colors = [hex_color(color) for color in palette.colors]
    return PaletteReport(name=palette.name, description=palette.meaning, colors=colors)


def _model_report(engine: Engine, entry: ModelEntry) -> ModelReport:
    return ModelReport(
        name=entry.name,
        kind=entry.kind,
        default=engine.catalog.is_default(entry.name),
        architecture=entry.architecture,
        dataset=entry.dataset,
        classes=list(entry.classes),
        size=entry.size,
        crop=entry.crop,
        colors=entry.colors,
        classifier=entry.classifier,
        guides=list(entry.guides),
        fidelity=entry.name in engine.catalog.supporting_fidelity,
        cam=entry.kind is ModelKind.CLASSIFIER and entry.cam,
        loaded=entry.name in engine.loaded(),
        device=engine.device,
        accuracy=dict(entry.accuracy),
        sha256=entry.sha256,
    )


def json_response(report: BaseModel, headers: dict[str, str], embedded: int = 0) -> Response:
    """Return `report` as `application/json`.

    embedded: letters of base64 in it. Where they are the larger part, the response is not compressed.
    """
    text = report.model_dump_json()
    untouched = UNTOUCHED if 2 * embedded > len(text) else {}
    return Response(text, headers={**headers, **untouched}, media_type=JSON)


def common_headers(timings: Timings, notes: Sequence[str]) -> dict[str, str]:
    """Return the headers of every image: the times of the stages, and the notes of decoding."""
    headers = {"Server-Timing": server_timing(timings), "Vary": "Accept"}
    if notes:
        headers["X-Image-Notes"] = header_text("; ".join(notes))
    return headers


def quantized_headers(
    selection: Selection, sha256: Mapping[str, str], colors: int, bits_per_pixel: float
) -> dict[str, str]:
    """Return the headers that state how an image with so many colors was quantized."""
    headers = {
        **model_headers([selection.model], sha256),
        "X-Method": selection.method,
        "X-Colors": str(colors),
        "X-Bits-Per-Pixel": f"{bits_per_pixel:.4f}",
    }
    if selection.recognizers:
        headers["X-Recognizers"] = header_text(", ".join(selection.recognizers))
    return headers


def label_headers(before: Prediction, after: Prediction) -> dict[str, str]:
    """Return the headers of the labels before and after."""
    return {
        "X-Label-Before": header_text(before.label),
        "X-Probability-Before": f"{before.probability:.4f}",
        "X-Label-After": header_text(after.label),
        "X-Probability-After": f"{after.probability:.4f}",
    }


def _map_headers(cam: DrawnMap) -> dict[str, str]:
    return {
        "X-Colors": str(cam.colors),
        "X-Bits-Per-Pixel": f"{cam.bits_per_pixel:.4f}",
        "X-Label": header_text(cam.prediction.label),
        "X-Probability": f"{cam.prediction.probability:.4f}",
    }


def recognition_report(recognition: Recognition, sha256: Mapping[str, str]) -> RecognitionReport:
    """Return the report on the labels before and after."""
    return RecognitionReport(
        model=recognition.model,
        model_sha256=sha256[recognition.model],
        before=_prediction_report(recognition.before),
        after=_prediction_report(recognition.after),
        kept=recognition.kept,
    )


def _compress_report(result: Compressed, original_bpg: Version, index_map_kept: bool) -> CompressReport:
    fields = partial(_version_fields, result)
    classifier = result.selection.classifier if result.options.recognize else None
    return CompressReport(
        model=result.selection.model,
        model_sha256=hash_of(result.selection.model, result.sha256),
        method=result.selection.method,
        fidelity=result.selection.fidelity,
        dither=result.selection.dither,
        recognizers=list(result.selection.recognizers),
        classifier=classifier,
        classifier_sha256=hash_of(classifier, result.sha256),
        width=result.image.width,
        height=result.image.height,
        colors=result.image.colors,
        qp=result.options.qp,
        chroma=result.options.chroma,
        mode=result.options.mode,
        original=VersionReport(**fields(result.original)),
        quantized=VersionReport(**fields(result.quantized)),
        quantized_bpg=QuantizedBpgReport(**fields(result.quantized_bpg), index_map_kept=index_map_kept),
        original_bpg=BpgReport(**fields(original_bpg)),
        files=CompressedFiles(
            png=_base64(result.quantized.file),
            bpg=_base64(result.quantized_bpg.file),
            original_bpg=_base64(original_bpg.file),
        ),
        notes=list(result.notes),
    )


def _version_fields(result: Compressed, version: Version) -> dict[str, Any]:
    size, fixed_size = len(version.file), version.fixed_size
    before, after = result.original.prediction, version.prediction
    fields = {"coding": _coding_report(version.coding)} if version.coding else {}
    return fields | {
        "bytes": size,
        "bits_per_pixel": result.bits_per_pixel(size),
        "payload_bits_per_pixel": None if fixed_size is None else result.bits_per_pixel(size - fixed_size),
        "mse": version.mse,
        "psnr": metrics.psnr(version.mse),
        "label": after and after.label,
        "probability": after and after.probability,
        "kept": after and before and after.index == before.index,
    }


def _coding_report(coding: Coding) -> CodingReport:
    qp = None if coding.lossless else coding.qp
    return CodingReport(qp=qp, chroma=coding.chroma, color_space=coding.color_space)


def _prediction_fields(prediction: Prediction) -> dict[str, str | int | float]:
    return {"label": prediction.label, "index": prediction.index, "probability": prediction.probability}


def _prediction_report(prediction: Prediction) -> PredictionReport:
    return PredictionReport.model_validate(_prediction_fields(prediction))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
