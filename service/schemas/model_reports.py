"""JSON response of GET /models: networks, methods, defaults, palettes and limits."""

from __future__ import annotations

from pydantic import Field

from models.names import LEARNED_METHOD, ModelKind
from service.schemas.base import MODELS_DIGEST, Report


class ModelReport(Report):
    """One network."""

    name: str = Field(examples=["cifar10-resnet9-colorcnn"])
    kind: str = Field(
        description=f"`{ModelKind.COLORCNN}` and `{ModelKind.COLORCNN_PUBLISHED}` quantize, "
        f"`{ModelKind.CLASSIFIER}` predicts."
    )
    default: bool = Field(description="Whether the model serves requests that name no model.")
    architecture: str
    dataset: str = Field(description="Training set.", examples=["cifar10"])
    classes: list[str] = Field(description="Labels in the order of their indices; empty for a quantizer.")
    size: int = Field(
        description="Side of the square input of a classifier, and of the training images of a quantizer, in pixels.",
        examples=[32],
    )
    crop: float | None = Field(
        ge=0,
        le=1,
        description="Share of the shorter side that a classifier sees, as a central square; null where it sees the "
        "whole image, squeezed to a square, and for a quantizer.",
        examples=[0.875],
    )
    colors: tuple[int, int] | None = Field(description="Smallest and largest number of colors; null for a classifier.")
    classifier: str | None = Field(
        description="Classifier that the network was trained against; null for a classifier."
    )
    guides: list[str] = Field(
        description="Classifiers that `colorcnn_refined` follows beside that one; empty for a network without guides."
    )
    fidelity: bool = Field(description="Whether the network supports the option `fidelity` of /quantize and /compress.")
    cam: bool = Field(description="Whether the classifier supports activation maps; false for a quantizer.")
    loaded: bool = Field(
        description="Whether the network is in memory. If not, the first request that names it loads it."
    )
    device: str = Field(examples=["cuda"])
    accuracy: dict[str, float] = Field(description="Measured top-1 accuracy of each setting.")
    sha256: str = Field(description="SHA-256 of the checkpoint file.")


class MethodReport(Report):
    """One quantization method."""

    name: str = Field(description="Value of the option `method`.", examples=[LEARNED_METHOD])
    title: str = Field(description="Name of the method for people.", examples=["ColorCNN"])
    description: str = Field(description="What the method does, in one line.")
    options: list[str] = Field(
        description="Options of /quantize and /compress that only some methods support, and this one does.",
        examples=[["model", "fidelity"]],
    )


class DefaultReport(Report):
    """What a request without `method` and `model` gets."""

    method: str = Field(examples=[LEARNED_METHOD])
    model: str | None = Field(description="Model of the method; null for a classical method.")
    classifier: str = Field(description="Classifier of /quantize and /compress.", examples=["cifar10-resnet9"])
    classify: str = Field(description="Classifier of /classify.", examples=["cifar10-resnet9"])


class DefaultsReport(Report):
    """Defaults by the size of the image."""

    small: DefaultReport | None = Field(description="For an image that is no photograph; null where each image is one.")
    photograph: DefaultReport | None = Field(description="For a photograph; null where no image counts as one.")
    largest_small_side: int | None = Field(
        description="An image is a photograph if its shorter side has more pixels; null where no image counts as one.",
        examples=[64],
    )


class PaletteReport(Report):
    """One palette that the option `palette` knows by its name."""

    name: str = Field(examples=["gameboy"])
    description: str = Field(description="Where the colors are from.", examples=["the first Game Boy"])
    colors: list[str] = Field(description="Colors in their order, as #rrggbb.", examples=[["#000000", "#ffffff"]])


class LimitsReport(Report):
    """Largest requests of this service."""

    upload_bytes: int = Field(description="Largest request body, in bytes.", examples=[33554432])
    pixels: int = Field(description="Largest image, in pixels.", examples=[50000000])
    benchmark_pixels: int = Field(description="Largest image of /benchmark, in pixels.", examples=[12000000])
    benchmark_images: int = Field(description="Largest number of images of /benchmark.", examples=[32])


class ModelsReport(Report):
    """Response of GET /models."""

    models_digest: str = MODELS_DIGEST
    models: list[ModelReport]
    methods: list[str] = Field(
        description="Values of the option `method` of /quantize, the default for small images first."
    )
    method_details: list[MethodReport] = Field(description="The methods, in the same order.")
    defaults: DefaultsReport
    transfer_classifiers: list[str] = Field(
        description="Classifiers that a refined image is optimized for, beside the chosen one.",
        examples=[["imagenet-efficientnet-lite0"]],
    )
    palettes: list[PaletteReport] = Field(description="Values of the option `palette`, beside lists of colors.")
    limits: LimitsReport
