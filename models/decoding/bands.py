"""Parts of an image: a box, and bands of rows that bound the memory of intermediate results."""

from collections.abc import Iterator

from PIL import Image

from models.pauses import pause

Box = tuple[int, int, int, int]
"""A rectangle of an image in pixels: left, upper, right, lower; the last two are exclusive."""

_BAND_PIXELS = 1 << 20  # the intermediate results of a band are small compared to a large image


def row_bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield bands that together cover the image, from top to bottom, each with the slice of its rows.

    There is a pause after each band.
    """
    step = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, step):
        bottom = min(top + step, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))
        pause()
