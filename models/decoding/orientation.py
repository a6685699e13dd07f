"""EXIF orientation: the turn that makes a stored image upright (EXIF 2.32, tag 0x0112)."""

from dataclasses import dataclass

from PIL import ExifTags, Image

from models.rgb import Pixels

UPRIGHT = 1
"""The orientation of an image that needs no turn."""


@dataclass(frozen=True)
class _Turn:
    """The way from stored pixels to upright ones: swap rows and columns, then flip rows, then flip columns."""

    swap: bool = False
    flip_rows: bool = False
    flip_columns: bool = False


_TURNS = {
    UPRIGHT: _Turn(),
    2: _Turn(flip_columns=True),
    3: _Turn(flip_rows=True, flip_columns=True),
    4: _Turn(flip_rows=True),
    5: _Turn(swap=True),
    6: _Turn(swap=True, flip_columns=True),
    7: _Turn(swap=True, flip_rows=True, flip_columns=True),
    8: _Turn(swap=True, flip_rows=True),
}


def read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 to 8; UPRIGHT where the tag is absent or invalid.

    The orientation that XMP states counts for nothing, as in viewers. Pillow would take it where EXIF has none.
    """
    exif = image.info.get("exif")
    return exif_orientation(exif if isinstance(exif, bytes) else None)


def exif_orientation(exif: bytes | None) -> int:
    """Return the orientation that EXIF data state, 1 to 8; UPRIGHT where they are absent, damaged or without it."""
    if not exif:
        return UPRIGHT
    tags = Image.Exif()
    try:
        tags.load(exif)
        return valid_orientation(tags.get(ExifTags.Base.Orientation))
    except Exception:  # damaged metadata must not prevent decoding
        return UPRIGHT


def valid_orientation(number: object) -> int:
    """Return `number` where it is an EXIF orientation, else UPRIGHT."""
    return number if isinstance(number, int) and number in _TURNS else UPRIGHT


def upright_shape(image: Image.Image, orientation: int) -> tuple[int, int, int]:
    """Return the shape (H, W, 3) of the upright pixels of a stored image."""
    swap = _TURNS[orientation].swap
    return (image.width, image.height, 3) if swap else (image.height, image.width, 3)


def stored_view(upright: Pixels, orientation: int) -> Pixels:
    """Return a view of upright pixels whose rows and columns run as they do in the file."""
    turn = _TURNS[orientation]
    stored = upright[:, ::-1] if turn.flip_columns else upright
    stored = stored[::-1] if turn.flip_rows else stored
    return stored.swapaxes(0, 1) if turn.swap else stored
