"""The options of requests: what they may be, and what they are when they are left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints

from models.codecs.bpg import Mode
from models.errors import BadOption
from models.names import LEARNED_METHOD, ONE_PASS, REFINED
from models.quantizers.base import MAX_COLORS, MIN_COLORS

Value = TypeVar("Value")
Name = Annotated[str, StringConstraints(min_length=1)]


def _plain_digits(value: object) -> object:
    """Pydantic alone would take "1_0" for 10 and "+4" for 4."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("Input should be a number in plain digits")
    return value


def _plain_decimal(value: object) -> object:
    """Pydantic alone would take "nan", "1e-1" and " .5"."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        raise ValueError("Input should be a number in plain digits, such as 0.25")
    return value


Number = Annotated[int, BeforeValidator(_plain_digits)]
Decimal = Annotated[float, BeforeValidator(_plain_decimal)]


class ImageOptions(BaseModel):
    """Options of every endpoint that takes an image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    background: Annotated[str, StringConstraints(pattern="^#?[0-9a-fA-F]{6}$")] = Field(
        "#ffffff",
        description="Color under transparent pixels, as #rrggbb (in a URL the # is written %23, or left out).",
    )

    def background_rgb(self) -> tuple[int, int, int]:
        """The background as three numbers from 0 to 255."""
        red, green, blue = bytes.fromhex(self.background.removeprefix("#"))
        return red, green, blue


class QuantizerOptions(ImageOptions):
    """Options of the endpoints that paint one image."""

    colors: Number = Field(
        4,
        ge=MIN_COLORS,
        le=MAX_COLORS,
        description=f"Most palette entries, from {MIN_COLORS} to {MAX_COLORS}.",
    )
    method: Name = Field(
        LEARNED_METHOD,
        description=f"Who paints: `{LEARNED_METHOD}` (the network), `{ONE_PASS}` (the same without "
        f"its search for the best strength for each image, so quicker), `{REFINED}` (structure refined for each image "
        "until the model's classifier reads it like the original: slower, and for that classifier alone) or a "
        "classical quantizer; see GET /models.",
    )
    model: Name | None = Field(
        None, description="Network for the methods of networks; left out: the default of GET /models."
    )
    fidelity: Decimal = Field(
        0.0,
        ge=0,
        le=1,
        description="Whose eye the painted image serves, from 0, the classifier's, to 1, the human's. More than 0 is "
        f"for the method `{LEARNED_METHOD}` with a model that heeds it: see GET /models.",
    )
    recognise: bool = Field(
        True, description="Whether a classifier reads the image before and after; false saves its time."
    )


class QuantizeOptions(QuantizerOptions):
    """Options of POST /quantize."""

    effort: Literal["fast", "default", "max"] = Field(
        "default", description="How hard the PNG writer tries to make the file small; the pixels are the same."
    )


class CompressOptions(QuantizerOptions):
    """Options of POST /compress."""

    qp: Number = Field(
        28,
        ge=0,
        le=51,
        description="HEVC's quantization parameter, from 0 to 51: six more double the step between levels.",
    )
    chroma: Literal["420", "422", "444"] = Field(
        "444",
        description="How much of the color is kept: all (444), half of the columns (422), and of the rows (420).",
    )
    mode: Mode = Field(
        "plain",
        description="`plain`: the painted image at `qp` and `chroma`. `auto`: the smallest file in which each pixel "
        "still is nearest to its own color, whatever `qp` and `chroma`; it takes as long as a dozen plain ones, so "
        "the image may have an eighth of the pixels. `index`, with two colors: the same as a black and white image "
        "with the colors beside it, which only this service puts together.",
    )


class ClassifyOptions(ImageOptions):
    """Options of POST /classify."""

    top_k: Number = Field(5, ge=1, le=1000, description="Most predictions in the answer, from 1 to 1000.")
    model: Name | None = Field(None, description="Classifier; left out: the default of GET /models.")
    cam: Name | None = Field(
        None,
        description="Class whose activation map is drawn: its label, its index, or `top` for the best prediction. "
        "A PNG answer draws `top` when it is left out.",
    )


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
    """Options of POST /benchmark. Tuples are fields that are repeated, or values with commas between them, or both."""

    colors: Annotated[
        # The range stands before the check of digits, or the JSON schema would not have it.
        tuple[Annotated[int, Field(ge=MIN_COLORS, le=MAX_COLORS), BeforeValidator(_plain_digits)], ...],
        BeforeValidator(_split),
        AfterValidator(_each_once),
    ] = Field(
        (2, 4, 8, 16),
        min_length=1,
        max_length=_MAX_COLORS_ASKED,
        json_schema_extra=_UNIQUE,
        description=f"Most palette entries, from {MIN_COLORS} to {MAX_COLORS}: up to {_MAX_COLORS_ASKED} numbers.",
    )
    methods: Annotated[tuple[Name, ...], BeforeValidator(_split), AfterValidator(_each_once)] = Field(
        (LEARNED_METHOD, "median_cut", "octree", "kmeans"),
        min_length=1,
        json_schema_extra=_UNIQUE,
        description=f"Who paints: `{LEARNED_METHOD}` (the network), `{ONE_PASS}` (the same without its search), "
        f"`{REFINED}` (refined for the model's classifier) and classical quantizers; see GET /models.",
    )
    labels: tuple[Name, ...] = Field(
        (),
        description="The true class of each image, in their order: a label or an index of the classifier's classes. "
        "Commas are part of a label where there are as many fields as images.",
    )
    model: Name | None = Field(
        None,
        description="Network for the methods of networks; the classifier it was trained against judges every "
        "method. Left out: the default of GET /models.",
    )
    cam: bool = Field(
        False, description="Whether the contact sheet shows where the classifier looks (class activation maps)."
    )


TOP = "top"


def find_class(cam: str | None, classes: tuple[str, ...]) -> int | None:
    """The index that the option `cam` means: a label, an index, or `top` (and no option) for None.

    Raises:
        BadOption: it is none of them.
    """
    return None if cam is None or cam == TOP else class_index("cam", cam, classes, also=f"`{TOP}`, ")


def class_index(option: str, text: str, classes: tuple[str, ...], also: str = "") -> int:
    """The index of the class that `text`, given for `option`, names by its label or its index.

    Raises:
        BadOption: it names none; the message says what it may be, beginning with `also`.
    """
    if text in classes:
        return classes.index(text)
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(classes):
        return int(text)
    known = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
    last = len(classes) - 1
    raise BadOption(f"{option} {text!r:.80} is no class; give {also}an index from 0 to {last} or one of {known}.")
