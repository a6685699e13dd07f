"""The transparent color of a PNG of 16-bit color, which only the exact color in 16 bits has.

Pillow keeps the high bytes of such a picture, so libvips reads it a second time, band by band, for its alpha alone.
"""

import numpy as np
import pyvips
from PIL import Image, ImageFile

from models.errors import BadImage

pyvips.cache_set_max(0)  # libvips would keep the last hundred uploads; nothing here reads a picture twice

_BAND_PIXELS = 1 << 20
_BAND_FIELDS = 4  # red, green, blue and the alpha that libvips makes of the transparent color


def has_deep_color_key(image: ImageFile.ImageFile, depth: int) -> bool:
    """Return whether a PNG of RGB samples of 16 bits states a transparent color. `depth` is that of its header."""
    return depth == 16 and image.mode == "RGB" and isinstance(image.info.get("transparency"), tuple)


def deep_key_alpha(data: bytes) -> Image.Image:
    """Return the alpha, L, of a PNG of which `has_deep_color_key` is true.

    Raises:
        BadImage: libvips does not read the file.
    """
    try:
        picture = pyvips.Image.pngload_buffer(data, access="sequential")
        alpha = Image.new("L", (picture.width, picture.height), 255)
        if picture.bands < _BAND_FIELDS:
            return alpha
        region = pyvips.Region.new(picture)
        step = max(1, _BAND_PIXELS // picture.width)
        for top in range(0, picture.height, step):
            rows = min(step, picture.height - top)
            samples = np.frombuffer(region.fetch(0, top, picture.width, rows), np.uint16)
            levels = samples.reshape(rows, picture.width, _BAND_FIELDS)[..., -1] >> 8
            alpha.paste(Image.fromarray(levels.astype(np.uint8)), (0, top))
        return alpha
    except pyvips.Error as error:
        raise BadImage("The PNG file cannot be read: its rows are damaged. Save it again.") from error
