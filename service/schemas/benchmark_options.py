"""Options of POST /benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from models.color_range import MAX_COLORS, MIN_COLORS
from models.names import HALFTONE, LEARNED_METHOD, REFINED_QUICKLY
from service.schemas.fields import Name, PlainDigits, listed
from service.schemas.options import FORMAT, ImageOptions

Value = TypeVar("Value")

COMPARED_SMALL = (LEARNED_METHOD, "median_cut", "octree", "kmeans")
"""Methods of a benchmark of small images that names none."""
COMPARED_PHOTOGRAPH = (REFINED_QUICKLY, HALFTONE, "kmeans", "median_cut_dither")
"""Methods of a benchmark of photographs that names none."""
MAX_IMAGES = 32  # in one benchmark
_MAX_COLORS_ASKED = 16  # different numbers of colors in one benchmark
_UNIQUE: dict[str, JsonValue] = {"uniqueItems": True}


def _split(fields: Sequence[str]) -> list[str]:
    return [part.strip() for field in fields for part in field.split(",")]


def _each_once(values: tuple[Value, ...]) -> tuple[Value, ...]:
    if len(set(values)) < len(values):
        raise ValueError("Each value may be given once")
    return values


class BenchmarkOptions(ImageOptions):
    """Options of POST /benchmark. A tuple is given as repeated fields, as values separated by commas, or as both."""

    colors: Annotated[
        # The range stands before the check of digits; otherwise the JSON schema would lack it.
        tuple[Annotated[int, Field(ge=MIN_COLORS, le=MAX_COLORS), PlainDigits], ...],
        BeforeValidator(_split),
        AfterValidator(_each_once),
    ] = Field(
        (2, 4, 8, 16),
        min_length=1,
        max_length=_MAX_COLORS_ASKED,
        json_schema_extra=_UNIQUE,
        description=f"Largest numbers of palette entries, from {MIN_COLORS} to {MAX_COLORS}: up to "
        f"{_MAX_COLORS_ASKED} different numbers.",
    )
    methods: Annotated[tuple[Name, ...], BeforeValidator(_split), AfterValidator(_each_once)] = Field(
        (),
        json_schema_extra=_UNIQUE,
        description=f"Quantization methods; see GET /models. If left out: {listed(COMPARED_PHOTOGRAPH)} for a "
        f"photograph, and {listed(COMPARED_SMALL)} for a smaller image.",
    )
    labels: tuple[Name, ...] = Field(
        (),
        description="True class of each image, in the order of the images: a label or an index of the classes of the "
        "classifier that classifies the image. With as many fields as images, a comma is part of its label.",
    )
    model: Name | None = Field(
        None,
        description="Network for the methods that use one; the classifier that it was trained against classifies the "
        "images of every method. Or a classifier, which then classifies them. If left out: the classifier of "
        "photographs classifies photographs, and that of the default network smaller images.",
    )
    cam: bool = Field(
        False,
        description="Whether the contact sheet, and the tiles of `tiles`, show class activation maps: where the "
        "classifier looks.",
    )
    tiles: bool = Field(
        False,
        description="Whether each image and row of JSON and of JSON lines has a tile: a small picture of the original "
        "or the result, as WebP in base64. For as many tiles as a contact sheet has.",
    )
    format: Literal["json", "png", "html", "ndjson"] | None = Field(None, description=FORMAT)
