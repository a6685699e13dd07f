"""An image a few rows at a time, so that what is computed on the way to its pixels never fills the memory."""

from collections.abc import Iterator

from PIL import Image

_BAND_PIXELS = 1 << 20  # a large image is in memory twice, not five times


def row_bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield bands of rows that together are the image, each with where its rows belong."""
    step = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, step):
        bottom = min(top + step, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))
