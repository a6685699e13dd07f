"""Conversion of colors to sRGB, through the ICC profile of the file where it has a usable one.

Specification ICC.1:2010 of the International Color Consortium (profile version 4.3); clause numbers refer to this text.
"""

import struct
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from models.decoding.hdr import HdrColors

_TAG_COUNT, _TAG_TABLE = 128, 132  # byte offsets (clause 7.3)
_TAG_ENTRY = 12  # bytes
_MAX_TAGS = 100  # lcms rejects more
_FLOAT_TABLES = frozenset(f"{way}{intent}".encode() for way in ("D2B", "B2D") for intent in range(4))


CMYK_NOTE = "CMYK converted to sRGB without a profile"
"""Note on a CMYK image without a profile, whose colors are known only approximately."""


@dataclass(frozen=True, eq=False)
class SrgbConversion:
    """The conversion of one image to sRGB.

    Attributes:
        transform: the transform of an ICC profile or of high dynamic range; None if Pillow's own conversion between
            modes is right.
        note: a short ASCII phrase for the user; "" for an ordinary image.
    """

    transform: ImageCms.ImageCmsTransform | HdrColors | None
    note: str = ""


def plan_conversion(mode: str, profile: object, source: str = "ICC profile") -> SrgbConversion:
    """Return the conversion to sRGB of colors in `mode`. An unusable profile is ignored with a note.

    Args:
        mode: L, RGB or CMYK, as `color_mode` returns it.
        profile: the bytes of an ICC profile, or a color space of high dynamic range for L and RGB. A damaged file may
            put any other value here; None means no profile.
        source: the name of what states the colors, for the note.
    """
    if not profile:
        return SrgbConversion(None, CMYK_NOTE if mode == "CMYK" else "")
    if isinstance(profile, HdrColors):
        return SrgbConversion(profile, f"{source} of high dynamic range mapped to sRGB")
    try:
        transform = _profile_transform(profile, mode)
    except Exception:  # lcms and Pillow raise many types for a bad profile, and the picture is still good
        return SrgbConversion(None, f"{source} ignored: damaged or made for other kinds of images")
    return SrgbConversion(transform, f"{source} converted to sRGB" if transform else "")


def to_srgb(colors: Image.Image, conversion: SrgbConversion) -> Image.Image:
    """Return `colors`, an image in the mode of the conversion, as an sRGB image of mode RGB."""
    return conversion.transform.apply(colors) if conversion.transform else _to_rgb(colors)


def _to_rgb(colors: Image.Image) -> Image.Image:
    return colors if colors.mode == "RGB" else colors.convert("RGB")


def _profile_transform(profile: object, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from an ICC profile to sRGB, or None for a profile that is equivalent to sRGB.

    The intent is relative colorimetric with black point compensation. It maps white to white and black to black, and
    keeps every color that sRGB contains. A profile without the tables of this intent uses its other tables (clause 8).

    Raises:
        Exception: the profile is damaged, or does not describe colors of `mode`.
    """
    if not isinstance(profile, bytes):
        raise ValueError("a profile is bytes")
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(BytesIO(_without_float_tables(profile))),
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return None if mode != "CMYK" and _changes_nothing(transform, mode) else transform


def _without_float_tables(profile: bytes) -> bytes:
    """Return `profile` with the tags of its floating-point tables renamed, so that lcms ignores these tables.

    Such a table may repeat one element 125,000 times in 2 kB of the file, and lcms spends a minute on it. The tables
    are optional: lcms reads the integer tables in their place (clause 8).

    Raises:
        ValueError: the profile has more tags than lcms reads.
        struct.error: the bytes are too short for a profile.
    """
    (tags,) = struct.unpack_from(">I", profile, _TAG_COUNT)
    if tags > _MAX_TAGS:
        raise ValueError(f"a profile has at most {_MAX_TAGS} tags")
    renamed = bytearray(profile)
    for at in range(_TAG_TABLE, _TAG_TABLE + tags * _TAG_ENTRY, _TAG_ENTRY):
        if profile[at : at + 4] in _FLOAT_TABLES:
            renamed[at : at + 1] = renamed[at : at + 1].lower()
    return bytes(renamed)


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether the transform moves no color of a lattice by more than one level, the error of rounding.

    Most images carry some edition of the sRGB profile. Skipping it saves time and the rounding error.
    """
    levels = np.arange(0, 256, 15 if mode == "RGB" else 1, dtype=np.uint8)
    if mode == "RGB":
        lattice = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(len(levels), -1, 3)
    else:
        lattice = levels[np.newaxis]
    colors = Image.fromarray(lattice)
    before, after = (np.asarray(image, dtype=np.int16) for image in (_to_rgb(colors), transform.apply(colors)))
    return int(np.abs(after - before).max()) <= 1
