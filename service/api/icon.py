"""The icon of the service in tabs and bookmarks: a C of four colors."""

from __future__ import annotations

import io

from PIL import Image

_DRAWING = (
    "..RRRR..",
    ".RRRRRO.",
    "RRR..OO.",
    "RR......",
    "PP......",
    "PPP..BB.",
    ".PPPPPB.",
    "..PPPP..",
)
_COLORS = {"R": (224, 82, 74), "O": (245, 166, 35), "P": (88, 80, 214), "B": (20, 160, 170)}
_SCALES = (2, 4, 6)  # sides of 16, 32 and 48 pixels


def draw_icon() -> bytes:
    """Return the icon as an ICO file with three sizes."""
    side = len(_DRAWING)
    drawing = Image.new("RGBA", (side, side))
    for y, row in enumerate(_DRAWING):
        for x, letter in enumerate(row):
            if letter in _COLORS:
                drawing.putpixel((x, y), (*_COLORS[letter], 255))
    images = [drawing.resize((side * scale, side * scale), Image.Resampling.NEAREST) for scale in _SCALES]
    file = io.BytesIO()
    images[-1].save(file, "ICO", sizes=[image.size for image in images], append_images=images[:-1])
    return file.getvalue()
