"""Files written by Pillow: the part that the truecolor PNG, JPEG and WebP codecs share."""

from io import BytesIO

from PIL import Image

from models.rgb import Pixels, check_pixels


def save(pixels: Pixels, kind: str, **options: object) -> bytes:
    """Return `pixels` as a file of Pillow's format `kind`, without metadata.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        kind: "PNG", "JPEG" or "WEBP".
        options: Pillow's options for this format.

    Raises:
        ValueError: `pixels` has another shape or dtype.
    """
    check_pixels(pixels)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def check_quality(quality: int) -> None:
    """Raise ValueError unless `quality` is 1 to 100; Pillow silently accepts other numbers."""
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must be 1 to 100, not {quality}")
