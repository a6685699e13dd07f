"""Results of the pipeline as HTTP answers: PNG or JSON, with the headers of the contract."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from urllib.parse import quote

from pydantic import BaseModel
from starlette.responses import Response

from models.prediction import Prediction
from service.engine import Engine
from service.pipeline import STAGES, Classified, DrawnMap, Quantized, Timings
from service.schemas import (
    CamReport,
    ClassifyReport,
    ModelReport,
    ModelsReport,
    PredictionReport,
    QuantizeReport,
    RecognitionReport,
)

PNG = "image/png"
JSON = "application/json"
NO_MODEL = "none"  # X-Model of a classical method

_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def quantize_answer(result: Quantized, media_type: str) -> Response:
    """The painted image as `image/png`, or everything known about it as JSON."""
    headers = {
        "X-Model": header_text(result.choice.model or NO_MODEL),
        "X-Colors": str(result.image.colors),
        "X-Bits-Per-Pixel": f"{result.bits_per_pixel:.4f}",
        **_common_headers(result.timings, result.notes),
    }
    if result.recognition:
        headers["X-Label-Before"] = header_text(result.recognition.before.label)
        headers["X-Label-After"] = header_text(result.recognition.after.label)
    if media_type == PNG:
        return Response(result.png, headers=headers, media_type=PNG)
    return json_answer(_quantize_report(result), headers)


def classify_answer(result: Classified, media_type: str) -> Response:
    """The activation map as `image/png` (the result must have one), or the predictions as JSON."""
    headers = {"X-Model": header_text(result.model), **_common_headers(result.timings, result.notes)}
    if media_type == PNG and result.cam:
        return Response(result.cam.png, headers=headers | _map_headers(result.cam), media_type=PNG)
    report = ClassifyReport(
        model=result.model,
        predictions=[_prediction_report(prediction) for prediction in result.predictions],
        cam=result.cam and CamReport(**_prediction_fields(result.cam.prediction), png=_base64(result.cam.png)),
        notes=list(result.notes),
    )
    return json_answer(report, headers)


def models_report(engine: Engine) -> ModelsReport:
    """What `engine` has loaded."""
    methods = engine.methods()
    defaults = {engine.classifier(None).name, engine.choose(methods[0], None).model}
    reports = [
        ModelReport(
            name=entry.name,
            kind=entry.kind,
            default=entry.name in defaults,
            architecture=entry.architecture,
            dataset=entry.dataset,
            classes=list(entry.classes),
            size=entry.size,
            colors=entry.colors,
            classifier=entry.classifier,
            device=engine.device,
            accuracy=dict(entry.accuracy),
            sha256=entry.sha256,
        )
        for entry in engine.models()
    ]
    return ModelsReport(models=reports, methods=list(methods))


def json_answer(report: BaseModel, headers: dict[str, str]) -> Response:
    """`report` as `application/json`."""
    return Response(report.model_dump_json(), headers=headers, media_type=JSON)


def server_timing(timings: Timings) -> str:
    """The value of Server-Timing, in milliseconds as the W3C draft wants it."""
    return ", ".join(f"{stage};dur={getattr(timings, stage) * 1000:.1f}" for stage in STAGES)


def header_text(text: str) -> str:
    """Text that is safe in a header: everything but printable ASCII is percent-encoded as UTF-8, and `%` itself."""
    return quote(text, safe=_PLAIN)


def _common_headers(timings: Timings, notes: Sequence[str]) -> dict[str, str]:
    headers = {"Server-Timing": server_timing(timings), "Vary": "Accept"}
    if notes:
        headers["X-Image-Notes"] = header_text("; ".join(notes))
    return headers


def _map_headers(cam: DrawnMap) -> dict[str, str]:
    return {
        "X-Colors": str(cam.colors),
        "X-Bits-Per-Pixel": f"{cam.bits_per_pixel:.4f}",
        "X-Label": header_text(cam.prediction.label),
        "X-Probability": f"{cam.prediction.probability:.4f}",
    }


def _quantize_report(result: Quantized) -> QuantizeReport:
    found = result.recognition
    return QuantizeReport(
        model=result.choice.model,
        method=result.choice.method,
        width=result.image.width,
        height=result.image.height,
        palette=list(result.image.hex_palette()),
        counts=result.image.counts().tolist(),
        bits_per_pixel=result.bits_per_pixel,
        png=_base64(result.png),
        recognition=found
        and RecognitionReport(
            model=found.model,
            before=_prediction_report(found.before),
            after=_prediction_report(found.after),
            kept=found.kept,
        ),
        notes=list(result.notes),
    )


def _prediction_fields(prediction: Prediction) -> dict[str, str | int | float]:
    return {"label": prediction.label, "index": prediction.index, "probability": prediction.probability}


def _prediction_report(prediction: Prediction) -> PredictionReport:
    return PredictionReport.model_validate(_prediction_fields(prediction))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
