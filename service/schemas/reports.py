"""JSON responses of the HTTP interface, except those about benchmarks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from models.names import LEARNED_METHOD, BpgMode
from service.schemas.base import MODELS_DIGEST, SHA256_OF_CLASSIFIER, SHA256_OF_MODEL, Report

_BASE64: dict[str, JsonValue] = {"contentEncoding": "base64"}


class PredictionReport(Report):
    """One class and its probability."""

    label: str = Field(examples=["frog"])
    index: int = Field(ge=0, description="Index of the class among the classes of the classifier.", examples=[6])
    probability: float = Field(ge=0, le=1, examples=[0.93])


class RecognitionReport(Report):
    """Prediction of a classifier before and after quantization."""

    model: str = Field(description="Name of the classifier.", examples=["cifar10-resnet9"])
    model_sha256: str | None = SHA256_OF_MODEL
    before: PredictionReport
    after: PredictionReport
    kept: bool = Field(description="Whether the label is the same before and after.")


class QuantizeReport(Report):
    """JSON response of POST /quantize."""

    model: str | None = Field(
        description="Network that quantized the image, or the classifier that a refined image was optimized for first; "
        "null for a classical method."
    )
    model_sha256: str | None = SHA256_OF_MODEL
    method: str = Field(examples=[LEARNED_METHOD])
    fidelity: float = Field(ge=0, le=1, description="Value of the option.", examples=[0.0])
    dither: bool | None = Field(description="Value of the option; null where it was left out.")
    recognizers: list[str] = Field(
        description="Classifiers that a refined image was optimized for; empty for other methods.", examples=[[]]
    )
    width: int = Field(ge=1, examples=[640])
    height: int = Field(ge=1, examples=[480])
    palette: list[str] = Field(description="Colors, as #rrggbb.", examples=[["#1d2b1f", "#c9b79c"]])
    counts: list[int] = Field(description="Number of pixels of each palette entry.", examples=[[120400, 186800]])
    alpha: list[int] | None = Field(
        description="Alpha of each palette entry, 0 to 255; null for an opaque image.", examples=[None]
    )
    bytes: int = Field(ge=1, description="Bytes of the PNG file.", examples=[15744])
    upload_bytes: int = Field(ge=1, description="Bytes of the upload.", examples=[184320])
    bits_per_pixel: float = Field(
        description="Bits of the PNG file divided by the pixels of the image.", examples=[0.41]
    )
    goals_met: bool | None = Field(
        description="Whether the result reaches the goals `keep` and `max_bytes`; null without a goal."
    )
    filename: str = Field(description="Name for the PNG file, after that of the upload.", examples=["photo-k2.png"])
    png: str = Field(description="Indexed PNG, in base64.", json_schema_extra=_BASE64)
    recognition: RecognitionReport | None = Field(description="Null with `recognize=false`.")
    notes: list[str] = Field(
        description="Changes that decoding made to the upload.", examples=[["EXIF orientation applied"]]
    )


class VersionReport(Report):
    """One version of the image: size of the file, distance to the upload, and prediction."""

    bytes: int = Field(description="Bytes of the file.", examples=[11128])
    bits_per_pixel: float = Field(description="Bits of the file divided by the pixels of the image.", examples=[0.66])
    payload_bits_per_pixel: float | None = Field(
        description="`bits_per_pixel` without the bytes that do not depend on the picture; null for the upload.",
        examples=[0.65],
    )
    mse: float = Field(description="Mean squared error against the upload, 0 to 65025.", examples=[55.2])
    psnr: float | None = Field(
        description="PSNR against the upload in dB; null where the pixels are equal.", examples=[30.7]
    )
    label: str | None = Field(description="Most probable class; null with `recognize=false`.", examples=["cat"])
    probability: float | None = Field(ge=0, le=1, examples=[0.93])
    kept: bool | None = Field(description="Whether the label is that of the upload.")


class CodingReport(Report):
    """Coding of a BPG file."""

    qp: int | None = Field(description="HEVC quantization parameter, 0 to 51; null for lossless coding.", examples=[28])
    chroma: str = Field(description="444, 422, 420, or `gray` for one plane.", examples=["444"])
    color_space: str = Field(description="`ycbcr` or `rgb`.", examples=["ycbcr"])


class BpgReport(VersionReport):
    """A version that is stored as a BPG file."""

    coding: CodingReport


class QuantizedBpgReport(BpgReport):
    """The quantized image as BPG.

    With the modes `auto` and `index`, its coding differs from that of `original_bpg`.
    """

    index_map_kept: bool = Field(
        description="Whether each pixel is still nearest to its own palette color, so that the quantized image can be "
        "restored exactly."
    )


class CompressedFiles(Report):
    """Files of a compressed image, in base64."""

    png: str = Field(description="Quantized image as an indexed PNG.", json_schema_extra=_BASE64)
    bpg: str = Field(description="Quantized image as BPG.", json_schema_extra=_BASE64)
    original_bpg: str = Field(description="Upload as BPG.", json_schema_extra=_BASE64)


class CompressReport(Report):
    """JSON response of POST /compress."""

    model: str | None = Field(
        description="Network that quantized the image, or the classifier that a refined image was optimized for first; "
        "null for a classical method."
    )
    model_sha256: str | None = SHA256_OF_MODEL
    method: str = Field(examples=[LEARNED_METHOD])
    fidelity: float = Field(ge=0, le=1, description="Value of the option.", examples=[0.0])
    dither: bool | None = Field(description="Value of the option; null where it was left out.")
    recognizers: list[str] = Field(
        description="Classifiers that a refined image was optimized for; empty for other methods.", examples=[[]]
    )
    classifier: str | None = Field(description="Name of the classifier; null with `recognize=false`.")
    classifier_sha256: str | None = SHA256_OF_CLASSIFIER
    width: int = Field(ge=1, examples=[640])
    height: int = Field(ge=1, examples=[480])
    colors: int = Field(description="Number of palette entries of the quantized image.", examples=[4])
    qp: int = Field(description="Value of the option; see the `coding` of each file.", examples=[28])
    chroma: str = Field(description="Value of the option; see the `coding` of each file.", examples=["444"])
    mode: BpgMode = Field(examples=["plain"])
    original: VersionReport = Field(description="Upload.")
    quantized: VersionReport = Field(description="Quantized image as an indexed PNG.")
    quantized_bpg: QuantizedBpgReport = Field(description="Quantized image as BPG.")
    original_bpg: BpgReport = Field(description="Upload as BPG, at `qp` and `chroma`, not quantized.")
    files: CompressedFiles
    notes: list[str] = Field(
        description="Changes that decoding made to the upload.", examples=[["EXIF orientation applied"]]
    )


class CamReport(PredictionReport):
    """A class, and its activation map: where the classifier finds evidence for the class."""

    png: str = Field(description="Activation map drawn over the image: a PNG in base64.", json_schema_extra=_BASE64)


class ClassifyReport(Report):
    """JSON response of POST /classify."""

    model: str = Field(description="Name of the classifier.", examples=["cifar10-resnet9"])
    model_sha256: str | None = SHA256_OF_MODEL
    predictions: list[PredictionReport] = Field(description="Predictions, the most probable first.")
    cam: CamReport | None = Field(description="Activation map; null without the option `cam`.")
    notes: list[str] = Field(description="Changes that decoding made to the upload.")


class StatusReport(Report):
    """Response of the two probes of a healthy service."""

    status: Literal["alive", "ready"]


class ReadyReport(StatusReport):
    """Response of GET /readyz of a service that is ready."""

    models_digest: str = MODELS_DIGEST
    loaded: list[str] = Field(description="Networks in memory.", examples=[["cifar10-resnet9"]])
    on_demand: list[str] = Field(description="Networks that their first request loads.", examples=[["tiny-alexnet"]])


class ErrorReport(Report):
    """An error, as in problem details (RFC 9457)."""

    type: str = Field(description="Stable name of the kind of problem.", examples=["urn:colorcnn:problem:bad-option"])
    title: str = Field(description="Kind of problem in words.")
    status: int = Field(description="HTTP status.", examples=[422])
    detail: str = Field(description="Cause of the error in this request, and advice.")


class ProblemReport(ErrorReport):
    """Problem details (RFC 9457), the body of every error response."""

    instance: str = Field(
        description="Identifier of this occurrence; it ends in the X-Request-ID.",
        examples=["urn:colorcnn:request:5f2c"],
    )


class QuantizedFileReport(Report):
    """One image of a POST /quantize with several. Either `report` or `error` is null."""

    name: str = Field(description="Name of the upload; empty if there was none.", examples=["photo.jpg"])
    report: QuantizeReport | None
    error: ProblemReport | None


class QuantizeFilesReport(Report):
    """JSON response of POST /quantize to several images, in their order."""

    images: list[QuantizedFileReport]
