"""What /compress does in a worker process, which for this imports no network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from models.codecs import bpg, png
from models.codecs.bpg import Coding, Encoded, Mode
from models.palette_image import PaletteImage
from models.rgb import Pixels


class Files(NamedTuple):
    """The files of one image: painted as indexed PNG and as BPG, and as it was as BPG, where that is wanted."""

    png: bytes
    quantized: Encoded
    original: Encoded | None


def warm_up() -> None:
    """Do what a process has to do once, before the first image is sent to it: its modules are read with this one."""
    encode_all(PaletteImage(np.zeros((16, 16), np.uint8), np.zeros((1, 3), np.uint8)), None, Coding(), "plain")


def encode_all(image: PaletteImage, original: Pixels | None, coding: Coding, mode: Mode) -> Files:
    """All files at the same time, each in a thread of its own: x265 leaves Python to others meanwhile.

    image: what was painted. original: (H, W, 3) uint8 sRGB, what it was painted from; None where its file is not
    wanted. coding, mode: of the painted image; the original is coded plainly.
    """
    with ThreadPoolExecutor(3) as threads:
        indexed = threads.submit(png.encode, image)
        quantized = threads.submit(bpg.encode_as, image, coding, mode)
        plain = None if original is None else threads.submit(bpg.encode_as, original, coding)
        return Files(indexed.result(), quantized.result(), None if plain is None else plain.result())
