"""The first page of a TIFF file as a Pillow image of 8-bit samples."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from models.decoding.tiff.colors import is_wide, level_range, read_meaning, to_levels
from models.decoding.tiff.directory import read_directory
from models.decoding.tiff.layout import read_layout
from models.decoding.tiff.segments import read_samples
from models.decoding.tiff.tags import Tag

WIDE_NOTE = "samples without a standard white scaled to 8 bits"
"""Note on floats, signed numbers and integers of more than 16 bits."""


@dataclass(frozen=True, eq=False)
class TiffPage:
    """The first page of a TIFF file, as stored.

    Attributes:
        image: L, LA, RGB, RGBA or CMYK.
        alpha: L, for a CMYK image with alpha; else None.
        profile: bytes of the ICC profile, or None.
        orientation: EXIF orientation as the file states it; 1 where it states none.
        has_more_pages: whether the file holds another page.
        notes: a phrase for each conversion.
    """

    image: Image.Image
    alpha: Image.Image | None
    profile: bytes | None
    orientation: int
    has_more_pages: bool
    notes: tuple[str, ...]


def read_tiff(data: bytes, max_pixels: int) -> TiffPage:
    """Return the first page of a TIFF file. The samples are read twice where their range must be known first.

    Raises:
        UnsupportedFormat: the file holds samples or colors that are not read. The message names them.
        ImageTooLarge: the page has more than `max_pixels`, or its samples need too much memory.
        BadImage: a part of the page is missing, or the file contradicts itself.
        OSError, ValueError and others of Pillow: the compressed data are damaged.
    """
    directory = read_directory(data)
    layout = read_layout(directory, len(data), max_pixels)
    meaning = read_meaning(directory, layout)
    if layout.planar:  # planes that mean nothing need not be read, nor exist
        layout = replace(layout, channels=1 + max(meaning.colors - 1, meaning.alpha or 0))
    limits = level_range(read_samples(data, directory, layout) if is_wide(layout) else (), layout, meaning)
    layers = meaning.alpha is not None and meaning.mode != "CMYK"
    size = (layout.width, layout.height)
    image = Image.new({"L": "LA", "RGB": "RGBA"}[meaning.mode] if layers else meaning.mode, size)
    mask = Image.new("L", size) if meaning.alpha is not None and not layers else None
    top = 0
    for band in read_samples(data, directory, layout):
        colors, alpha = to_levels(band, layout, meaning, limits)
        if alpha is not None and layers:
            colors = np.concatenate([colors, alpha[..., np.newaxis]], axis=-1)
        elif alpha is not None and mask is not None:
            mask.paste(Image.fromarray(alpha), (0, top))
        image.paste(_as_image(colors, image.mode), (0, top))
        top += len(band)
    return TiffPage(
        image=image,
        alpha=mask,
        profile=directory.text(Tag.ICC_PROFILE),
        orientation=directory.number(Tag.ORIENTATION, 1),
        has_more_pages=directory.has_next,
        notes=(WIDE_NOTE,) if is_wide(layout) else (),
    )


def _as_image(levels: np.ndarray, mode: str) -> Image.Image:
    height, width, _ = levels.shape
    return Image.frombuffer(mode, (width, height), np.ascontiguousarray(levels).tobytes(), "raw", mode, 0, 1)
