"""The shapes of the HTTP interface: options that come in, JSON that goes out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from models.quantizers.base import MAX_COLORS, MIN_COLORS
from service.engine import CLASSIFIER, COLORCNN, LEARNED_METHOD

Name = Annotated[str, StringConstraints(min_length=1)]


class ImageOptions(BaseModel):
    """Options of every endpoint that takes an image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    background: Annotated[str, StringConstraints(pattern="^#?[0-9a-fA-F]{6}$")] = Field(
        "#ffffff",
        description="Colour under transparent pixels, as #rrggbb (in a URL the # is written %23, or left out).",
    )

    def background_rgb(self) -> tuple[int, int, int]:
        """The background as three numbers from 0 to 255."""
        red, green, blue = bytes.fromhex(self.background.removeprefix("#"))
        return red, green, blue


class QuantizeOptions(ImageOptions):
    """Options of POST /quantize."""

    colors: int = Field(
        4,
        ge=MIN_COLORS,
        le=MAX_COLORS,
        description=f"Most palette entries, from {MIN_COLORS} to {MAX_COLORS}.",
    )
    method: Name = Field(
        LEARNED_METHOD,
        description=f"Who paints: `{LEARNED_METHOD}` (the network) or a classical quantizer; see GET /models.",
    )
    model: Name | None = Field(
        None, description=f"Network for the method `{LEARNED_METHOD}`; left out: the default of GET /models."
    )
    effort: Literal["fast", "default", "max"] = Field(
        "default", description="How hard the PNG writer tries to make the file small; the pixels are the same."
    )
    recognise: bool = Field(
        True, description="Whether a classifier reads the image before and after; false saves its time."
    )


class ClassifyOptions(ImageOptions):
    """Options of POST /classify."""

    top_k: int = Field(5, ge=1, le=1000, description="Most predictions in the answer, from 1 to 1000.")
    model: Name | None = Field(None, description="Classifier; left out: the default of GET /models.")
    cam: Name | None = Field(
        None,
        description="Class whose activation map is drawn: its label, its index, or `top` for the best prediction. "
        "A PNG answer draws `top` when it is left out.",
    )


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PredictionReport(_Answer):
    """One class and how likely it is."""

    label: str = Field(examples=["frog"])
    index: int = Field(ge=0, description="Place of the class in the classifier's list.", examples=[6])
    probability: float = Field(ge=0, le=1, examples=[0.93])


class RecognitionReport(_Answer):
    """What a classifier sees in the image before and after quantization."""

    model: str = Field(description="The classifier.", examples=["cifar10-resnet9"])
    before: PredictionReport
    after: PredictionReport
    kept: bool = Field(description="Whether the label stayed the same.")


class QuantizeReport(_Answer):
    """The answer of POST /quantize as JSON."""

    model: str | None = Field(description="The network that painted; null for a classical method.")
    method: str = Field(examples=[LEARNED_METHOD])
    width: int = Field(ge=1, examples=[640])
    height: int = Field(ge=1, examples=[480])
    palette: list[str] = Field(description="The colours, as #rrggbb.", examples=[["#1d2b1f", "#c9b79c"]])
    counts: list[int] = Field(description="Pixels of each palette entry.", examples=[[120400, 186800]])
    bits_per_pixel: float = Field(description="Bits of the PNG file over pixels of the image.", examples=[0.41])
    png: str = Field(description="The indexed PNG, in base64.", json_schema_extra={"contentEncoding": "base64"})
    recognition: RecognitionReport | None = Field(description="Null with recognise=false.")
    notes: list[str] = Field(description="What decoding did to the upload.", examples=[["EXIF orientation applied"]])


class CamReport(PredictionReport):
    """A class activation map: where the classifier looks for this class."""

    png: str = Field(
        description="The map over the image, a PNG in base64.", json_schema_extra={"contentEncoding": "base64"}
    )


class ClassifyReport(_Answer):
    """The answer of POST /classify as JSON."""

    model: str = Field(description="The classifier.", examples=["cifar10-resnet9"])
    predictions: list[PredictionReport] = Field(description="Best first.")
    cam: CamReport | None = Field(description="Null unless the option `cam` is given.")
    notes: list[str] = Field(description="What decoding did to the upload.")


class ModelReport(_Answer):
    """One network that is loaded."""

    name: str = Field(examples=["cifar10-colorcnn"])
    kind: str = Field(description=f"`{COLORCNN}` quantizes, `{CLASSIFIER}` predicts.")
    default: bool = Field(description="Whether it is used when a request names no model.")
    architecture: str
    dataset: str = Field(description="What it was trained on.", examples=["cifar10"])
    classes: list[str] = Field(description="Labels, in the order of their indices.")
    size: int = Field(description="Side of the images it was trained on, in pixels.", examples=[32])
    colors: tuple[int, int] | None = Field(description="Fewest and most colours; null for a classifier.")
    classifier: str | None = Field(description="The classifier it was trained against; null for a classifier.")
    device: str = Field(examples=["cuda"])
    accuracy: dict[str, float] = Field(description="Measured top-1 accuracy by setting.")
    sha256: str = Field(description="Hash of the checkpoint file.")


class ModelsReport(_Answer):
    """The answer of GET /models."""

    models: list[ModelReport]
    methods: list[str] = Field(description="What the option `method` of /quantize may be, the default first.")


class StatusReport(_Answer):
    """The answer of the two probes when all is well."""

    status: Literal["alive", "ready"]


class ProblemReport(_Answer):
    """Problem details (RFC 9457), the shape of every error."""

    type: str = Field(description="Stable name of the kind of problem.", examples=["urn:colorcnn:problem:bad-option"])
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What is wrong with this request, and what to do.")
    instance: str = Field(
        description="This occurrence; ends in the X-Request-ID.", examples=["urn:colorcnn:request:5f2c"]
    )
