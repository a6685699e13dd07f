"""Options of requests about images: allowed values and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from models.color_range import MAX_COLORS, MIN_COLORS
from models.names import (
    HALFTONE,
    LEARNED_METHOD,
    NEAREST,
    ONE_PASS,
    REFINED,
    REFINED_FOR_ALL,
    REFINED_IN_ONE_PASS,
    REFINED_QUICKLY,
    BpgMode,
)
from service.schemas.fields import (
    AUTO,
    Decimal,
    Name,
    Number,
    Palette,
    PlainDigits,
    Positive,
    Share,
    listed,
    number_or_auto,
)
from service.schemas.methods import DITHER, FIDELITY, PALETTE, TRANSFERABLE, supporting

KEEP_DEFAULT = 0.99
"""Share of the probability that `colors=auto` keeps if the request names no goal."""
FORMAT = "Format of the response. If left out: the media type that the header Accept prefers."


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

    colors: Annotated[
        Annotated[int, Field(ge=MIN_COLORS, le=MAX_COLORS), PlainDigits] | Literal["auto"],
        BeforeValidator(number_or_auto),
    ] = Field(
        4,
        description=f"Largest number of palette entries, from {MIN_COLORS} to {MAX_COLORS}, or `{AUTO}`: the fewest "
        "that reach `keep`, or the most that fit into `max_bytes`.",
    )
    method: Name | None = Field(
        None,
        description=f"Quantization method. If left out: `{REFINED_QUICKLY}` for a photograph, an image whose shorter "
        "side has more than twice the native size of the default network (more than 64 pixels with the shipped one), "
        f"and `{LEARNED_METHOD}` for a smaller image. The header `X-Method` names it. Values: `{LEARNED_METHOD}` (the "
        f"network), `{ONE_PASS}` (the network without its search, so faster), `{REFINED}` (the network, refined for "
        f"its classifier alone), `{REFINED_QUICKLY}` and `{REFINED_FOR_ALL}` (for photographs, with few or all steps), "
        f"`{REFINED_IN_ONE_PASS}` (the same by a network in one pass), `{HALFTONE}` (error diffusion), "
        f"`{NEAREST}` (the nearest color of `palette`), or another classical quantizer; see GET /models.",
    )
    palette: Palette | None = Field(
        None,
        description="Fixed palette, in its order: colors such as `#000,#fff,#f00`, a name such as `spectra6` (see the "
        "table of palettes), or the text of a GIMP palette. `colors` is then their number. For the methods "
        f"{listed(supporting(PALETTE))}.",
    )
    max_side: Positive | None = Field(
        None, description="Longest side of the result in pixels; a larger image is scaled down first."
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
        f"above 0 need one of the methods {listed(supporting(FIDELITY))}; a network must support fidelity, see GET "
        "/models.",
    )
    transferable: bool = Field(
        True,
        description="Whether a refined image is optimized for several classifiers, so that others recognize it too. "
        "`false` optimizes for the chosen classifier alone: the image is then a code that other classifiers may not "
        f"recognize. For the methods {listed(supporting(TRANSFERABLE))}.",
    )
    dither: bool | None = Field(
        None,
        description="Whether a refined image diffuses errors: `true` keeps the look of shades, `false` gives flat "
        "areas and shorter files. If left out: by the scale of the image. For the methods "
        f"{listed(supporting(DITHER))}.",
    )
    recognize: bool = Field(
        True,
        validation_alias=AliasChoices("recognize", "recognise"),  # the second one is the former name
        description="Whether a classifier classifies the image before and after; `false` saves that time.",
    )

    @property
    def needs_recognition(self) -> bool:
        """Whether the result depends on what the classifier recognizes."""
        return False

    @model_validator(mode="before")
    @classmethod
    def _count_palette(cls, values: Any) -> Any:
        """Let a palette decide the number of colors; reject a number that disagrees."""
        palette = cls._given_palette(values)
        if palette is None:
            return values
        given = values.get("colors", len(palette))
        if str(given) != str(len(palette)):
            raise ValueError(f"colors is {given!r:.80}, but the palette has {len(palette)} colors; leave `colors` out")
        return {**values, "colors": len(palette)}

    @classmethod
    def _given_palette(cls, values: object) -> tuple[tuple[int, int, int], ...] | None:
        """Return the palette among raw values; None without one, or where the check of the field will reject it."""
        if not isinstance(values, Mapping) or values.get("palette") is None:
            return None
        try:
            return TypeAdapter(Palette).validate_python(values["palette"])
        except ValidationError:
            return None


class QuantizeOptions(QuantizerOptions):
    """Options of POST /quantize."""

    keep: Share | None = Field(
        None,
        description="Goal: the label stays, and at least this share of its probability. If left out: "
        f"{KEEP_DEFAULT} for `colors={AUTO}` without `max_bytes`, no goal otherwise. The header `X-Goals-Met` states "
        "whether the result reaches its goals.",
    )
    max_bytes: Positive | None = Field(
        None,
        description="Goal: the file has at most so many bytes. Fewer colors than `colors`, flat areas in place of "
        "dither, and a smoothed index map are used where they are needed.",
    )
    scale: Annotated[
        Share | Literal["auto"],
        BeforeValidator(number_or_auto),
    ] = Field(
        1.0,
        description=f"Factor by which the image is scaled first, above 0 and up to 1, or `{AUTO}`: as far down as "
        "`max_bytes` asks for.",
    )
    alpha: Literal["keep", "flatten"] = Field(
        "keep",
        description="Transparency: `keep` stores it in the palette, where transparent pixels take one of its "
        "entries or more; `flatten` shows `background` there.",
    )
    skip_if_larger: bool = Field(
        False, description="Whether the response is empty (204) if the file would not be smaller than the upload."
    )
    shared_palette: bool = Field(
        False, description="Whether several images of one request get one palette. With one image it changes nothing."
    )
    format: Literal["png", "json", "webp", "raw", "packed", "zip", "mixed"] | None = Field(
        None,
        description=f"{FORMAT} `webp` is lossless, `raw` holds indices alone, `packed` is the smallest file and for "
        "this project's decoder, `zip` and `mixed` hold several files.",
    )
    effort: Literal["fast", "default", "max"] = Field(
        "default", description="Effort of the PNG writer to make the file small; the pixels are always the same."
    )

    @model_validator(mode="after")
    def _check_goals(self) -> Self:
        if self.palette and self.shared_palette:
            raise ValueError("shared_palette finds one palette for several images; leave out `palette` or it")
        if self.colors == AUTO and self.shared_palette:
            raise ValueError("shared_palette needs a number of colors; replace colors=auto by a number")
        if self.scale == AUTO and self.max_bytes is None:
            raise ValueError("scale=auto needs `max_bytes`; give it, or a number as `scale`")
        if self.needs_recognition and not self.recognize:
            raise ValueError("keep and colors=auto need a classifier; leave out recognize=false")
        return self

    @property
    def needs_recognition(self) -> bool:
        return self.share_to_keep is not None

    @property
    def share_to_keep(self) -> float | None:
        """Share of the probability that the result should keep; None without that goal."""
        if self.keep is None and self.colors == AUTO and self.max_bytes is None:
            return KEEP_DEFAULT
        return self.keep


class CompressOptions(QuantizerOptions):
    """Options of POST /compress."""

    colors: Number = Field(
        4,
        ge=MIN_COLORS,
        le=MAX_COLORS,
        description=f"Largest number of palette entries, from {MIN_COLORS} to {MAX_COLORS}.",
    )
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
    format: Literal["json", "bpg", "png"] | None = Field(None, description=FORMAT)


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
    format: Literal["json", "png"] | None = Field(None, description=FORMAT)
