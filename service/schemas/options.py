"""Options of requests: allowed values and defaults."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from models.color_range import MAX_COLORS, MIN_COLORS
from models.errors import BadOption
from models.names import (
    HALFTONE,
    LEARNED_METHOD,
    ONE_PASS,
    REFINED,
    REFINED_FOR_ALL,
    REFINED_IN_ONE_PASS,
    REFINED_QUICKLY,
    BpgMode,
)
from service.schemas.methods import DITHER, FIDELITY, TRANSFERABLE, supporting

Value = TypeVar("Value")
Name = Annotated[str, StringConstraints(min_length=1)]


def _plain_digits(value: object) -> object:
    """Reject what pydantic alone accepts: "1_0" for 10 and "+4" for 4."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("Input should be a number in plain digits")
    return value


def _plain_decimal(value: object) -> object:
    """Reject what pydantic alone accepts: "nan", "1e-1" and " .5"."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        raise ValueError("Input should be a number in plain digits, such as 0.25")
    return value


Number = Annotated[int, BeforeValidator(_plain_digits)]
Decimal = Annotated[float, BeforeValidator(_plain_decimal)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


class ImageOptions(BaseModel):
    """Options of every endpoint that accepts an image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    background: Annotated[str, StringConstraints(pattern="^#?[0-9a-fA-F]{6}$")] = Field(
        "#ffffff",
        description="Color under transparent pixels, as #rrggbb (in a URL, write %23 for the #, or leave it out).",
    )

    def background_rgb(self) -> tuple[int, int, int]:
        """Return red, green and blue of the background, 0 to 255."""
        red, green, blue = bytes.fromhex(self.background.removeprefix("#"))
        return red, green, blue


class QuantizerOptions(ImageOptions):
    """Options of the endpoints that quantize one image."""

    colors: Number = Field(
        4,
        ge=MIN_COLORS,
        le=MAX_COLORS,
        description=f"Largest number of palette entries, from {MIN_COLORS} to {MAX_COLORS}.",
    )
    method: Name | None = Field(
        None,
        description=f"Quantization method. If left out: `{REFINED_QUICKLY}` for a photograph, an image whose shorter "
        "side has more than twice the native size of the default network (more than 64 pixels with the shipped one), "
        f"and `{LEARNED_METHOD}` for a smaller image. The header `X-Method` names it. Values: `{LEARNED_METHOD}` (the "
        f"network), `{ONE_PASS}` (the network without its search, so faster), `{REFINED}` (the network, refined for "
        f"its classifier alone), `{REFINED_QUICKLY}` and `{REFINED_FOR_ALL}` (for photographs, with few or all steps), "
        f"`{REFINED_IN_ONE_PASS}` (the same by a network in one pass), `{HALFTONE}` (error diffusion), or another "
        "classical quantizer; see GET /models.",
    )
    model: Name | None = Field(
        None,
        description="Network for the methods that use one, or the classifier that a refined method optimizes for. If "
        f"left out: the default of GET /models. Without `method`, a network selects `{LEARNED_METHOD}`, and a "
        f"classifier `{REFINED_QUICKLY}`.",
    )
    fidelity: Decimal = Field(
        0.0,
        ge=0,
        le=1,
        description="Trade-off between recognition and likeness: 0 serves the classifier, 1 the human eye. Values "
        f"above 0 need one of the methods {_listed(supporting(FIDELITY))}; a network must support fidelity, see GET "
        "/models.",
    )
    transferable: bool = Field(
        True,
        description="Whether a refined image is optimized for several classifiers, so that others recognize it too. "
        "`false` optimizes for the chosen classifier alone: the image is then a code that other classifiers may not "
        f"read. For the methods {_listed(supporting(TRANSFERABLE))}.",
    )
    dither: bool | None = Field(
        None,
        description="Whether a refined image diffuses errors: `true` keeps the look of shades, `false` gives flat "
        "areas and shorter files. If left out: by the scale of the image. For the methods "
        f"{_listed(supporting(DITHER))}.",
    )
    recognize: bool = Field(
        True,
        validation_alias=AliasChoices("recognize", "recognise"),  # the second one is the former name
        description="Whether a classifier classifies the image before and after; `false` saves that time.",
    )


class QuantizeOptions(QuantizerOptions):
    """Options of POST /quantize."""

    effort: Literal["fast", "default", "max"] = Field(
        "default", description="Effort of the PNG writer to make the file small; the pixels are always the same."
    )


class CompressOptions(QuantizerOptions):
    """Options of POST /compress."""

    qp: Number = Field(
        28,
        ge=0,
        le=51,
        description="HEVC quantization parameter, from 0 to 51; adding 6 doubles the quantization step.",
    )
    chroma: Literal["420", "422", "444"] = Field(
        "444",
        description="Chroma subsampling: all color samples (444), half of the columns (422), or half of the columns "
        "and of the rows (420).",
    )
    mode: BpgMode = Field(
        "plain",
        description="`plain` encodes the quantized image at `qp` and `chroma`. `auto` ignores both and finds the "
        "smallest file in which each pixel is still nearest to its own palette color; it takes as long as a dozen "
        "plain encodings, so the largest image has an eighth of the pixels. `index` needs two colors and stores a "
        "black and white image with the two colors beside it; only this service restores the colors.",
    )


class ClassifyOptions(ImageOptions):
    """Options of POST /classify."""

    top_k: Number = Field(5, ge=1, le=1000, description="Largest number of predictions, from 1 to 1000.")
    model: Name | None = Field(
        None,
        description="Classifier. If left out: the default of GET /models.",
    )
    cam: Name | None = Field(
        None,
        description="Class whose activation map is drawn: a label, an index, or `top` for the best prediction. If left "
        "out: `top` for a PNG response, no map for JSON.",
    )


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
        tuple[Annotated[int, Field(ge=MIN_COLORS, le=MAX_COLORS), BeforeValidator(_plain_digits)], ...],
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
        description=f"Quantization methods; see GET /models. If left out: {_listed(COMPARED_PHOTOGRAPH)} for a "
        f"photograph, and {_listed(COMPARED_SMALL)} for a smaller image.",
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


TOP = "top"


def find_class(cam: str | None, classes: tuple[str, ...]) -> int | None:
    """Return the index of the class that the option `cam` names by a label or an index; None for `top` or no option.

    Raises:
        BadOption: the option names no class.
    """
    return None if cam is None or cam == TOP else class_index("cam", cam, classes, also=f"`{TOP}`, ")


def class_index(option: str, text: str, classes: tuple[str, ...], also: str = "") -> int:
    """Return the index of the class that `text`, the value of `option`, names by a label or an index.

    Raises:
        BadOption: `text` names no class; the message lists the allowed values, beginning with `also`.
    """
    if text in classes:
        return classes.index(text)
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(classes):
        return int(text)
    known = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
    last = len(classes) - 1
    raise BadOption(f"{option} {text!r:.80} is no class; give {also}an index from 0 to {last} or one of {known}.")
