"""Photographs as single files of any size, with their true classes where a file of labels has them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from models.decoding.decode import decode
from models.rgb import Pixels
from training.data.datasets import DatasetError

ENDINGS = frozenset({".bmp", ".bpg", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Endings of the names of image files, in lower case."""


class Photograph(NamedTuple):
    """A file with an image. truth: index of its true class, if known."""

    file: Path
    truth: int | None


def photographs(folder: Path, labels: Path | None, skip: int, most: int) -> list[Photograph]:
    """Return up to `most` photographs of a folder, without the first `skip`.

    Without `labels` they are the image files in the order of their names. Raises DatasetError if the folder or the
    file of labels does not exist, a line names no file, or no photograph is left.
    """
    if not folder.is_dir():
        raise DatasetError(f"no folder {folder}: give --photos FOLDER")
    if labels is None:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS)
        found = [Photograph(file, None) for file in files]
    else:
        found = list(_labeled(folder, labels))
    if len(found) <= skip:
        raise DatasetError(f"{labels or folder} has {len(found)} image files, of which --skip leaves none")
    return found[skip : skip + most]


def _labeled(folder: Path, labels: Path) -> Iterator[Photograph]:
    try:
        lines = labels.read_text().splitlines()
    except OSError as error:
        raise DatasetError(f"{labels} cannot be read ({error.strerror}): give --labels FILE") from None
    for number, line in enumerate(lines, 1):
        name, _, index = line.rpartition(",")
        file = folder / name
        if not index.strip().isdecimal() or not file.is_file():
            raise DatasetError(f"{labels}, line {number} is not FILE, INDEX with a file of {folder}: {line!r:.80}")
        yield Photograph(file, int(index))


def scaled(file: Path, side: int) -> Pixels:
    """Return the pixels of an image file, (H, W, 3) uint8 sRGB, scaled bicubically to a shorter side of `side`."""
    pixels = decode(file.read_bytes()).pixels
    height, width = pixels.shape[:2]
    factor = side / min(height, width)
    size = (max(side, round(width * factor)), max(side, round(height * factor)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
