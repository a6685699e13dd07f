"""Colors of any space to sRGB, through the ICC profile that a file carries, where it carries a usable one."""

import struct
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

ToSrgb = Callable[[Image.Image], Image.Image]
"""Turns colors in the mode that `color_mode` names into RGB of the same size."""

_ICC_TAG_COUNT, _ICC_TAG_TABLE = 128, 132  # where these are (ICC.1, clause 7.3)
_ICC_TAG_ENTRY = 12  # bytes
_MAX_ICC_TAGS = 100  # lcms refuses more
_FLOAT_TABLES = frozenset(f"{way}{intent}".encode() for way in ("D2B", "B2D") for intent in range(4))


def color_mode(image: Image.Image) -> str:
    """Return L, CMYK or RGB: the mode of the colors of `image` once palette, alpha and rarer spaces are resolved."""
    if image.mode in ("1", "L", "LA", "La"):
        return "L"
    return "CMYK" if image.mode == "CMYK" else "RGB"


def conversion(image: Image.Image, profile: object) -> tuple[ToSrgb, str]:
    """Return what turns the colors of `image`, without alpha, into sRGB, and the note on it; "" for nothing to tell.

    Args:
        image: an image of 8-bit samples.
        profile: the bytes of its ICC profile, or whatever stands in their place; nothing but a note comes of a bad one.
    """
    mode = color_mode(image)
    note = ""
    if profile:
        try:
            transform = _profile_transform(profile, mode)
        except Exception:  # lcms and Pillow object to a bad profile in many ways; the picture is still good
            note = "ICC profile ignored: damaged or made for other kinds of images"
        else:
            return (transform.apply, "ICC profile converted to sRGB") if transform else (_to_rgb, "")
    if mode == "CMYK":
        note = note or "CMYK converted to sRGB without a profile"
    return _to_rgb, note


def _to_rgb(colors: Image.Image) -> Image.Image:
    return colors if colors.mode == "RGB" else colors.convert("RGB")


def _profile_transform(profile: object, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from an ICC profile to sRGB, or None when the profile is sRGB in all but name.

    Building it fails when the profile is damaged, or describes other colors than those of `mode`.

    Relative colorimetric with black point compensation: white stays white, black stays black, and colors that sRGB has
    do not move. A profile without the tables for it falls back to those it has (ICC.1, clause 8).
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
    """Return `profile` with the tags of multi-process elements renamed to names that nobody reads.

    Their elements may be one and the same, 125,000 times over, and lcms takes a minute for what is 2 kB in a file. They
    are an option to the tables of integers, which are read in their place (ICC.1:2010, clause 8).

    Raises:
        ValueError: more tags than lcms reads.
        struct.error: too short for a profile.
    """
    (tags,) = struct.unpack_from(">I", profile, _ICC_TAG_COUNT)
    if tags > _MAX_ICC_TAGS:
        raise ValueError(f"a profile has at most {_MAX_ICC_TAGS} tags")
    kept = bytearray(profile)
    for at in range(_ICC_TAG_TABLE, _ICC_TAG_TABLE + tags * _ICC_TAG_ENTRY, _ICC_TAG_ENTRY):
        if profile[at : at + 4] in _FLOAT_TABLES:
            kept[at : at + 1] = kept[at : at + 1].lower()
    return bytes(kept)


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether no color of a lattice moves by more than the one level that rounding accounts for.

    Most images carry some edition of sRGB; for them this saves the time and that one level.
    """
    steps = np.arange(0, 256, 15 if mode == "RGB" else 1, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(len(steps), -1, 3) if mode == "RGB" else None
    colors = Image.fromarray(steps[np.newaxis] if cube is None else cube)
    before, after = (np.asarray(picture, dtype=np.int16) for picture in (_to_rgb(colors), transform.apply(colors)))
    return int(np.abs(after - before).max()) <= 1
