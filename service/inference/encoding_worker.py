"""Encoding in the worker processes of /compress, which import no network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from models.codecs import bpg, png
from models.codecs.bpg import Coding, Encoded, Mode
from models.palette_image import PaletteImage
from models.rgb import Pixels
from models.threads import available_cpus

_FILES = 3  # of one image, at most


class Files(NamedTuple):
    """Files of one image: the quantized image as indexed PNG and as BPG, and the original as BPG or None."""

    png: bytes
    quantized: Encoded
    original: Encoded | None


def warm_up() -> None:
    """Encode a tiny image, so that the first request does not wait for imports and set-up."""
    encode_all(PaletteImage(np.zeros((16, 16), np.uint8), np.zeros((1, 3), np.uint8)), None, Coding(), "plain")


def encode_all(image: PaletteImage, original: Pixels | None, coding: Coding, mode: Mode) -> Files:
    """Encode all files at once, each in a thread of its own: x265 releases the GIL.

    Args:
        image: the quantized image.
        original: (H, W, 3) uint8 sRGB; None where no BPG file of the original is needed.
        coding, mode: parameters for the quantized image; the original is always encoded in the mode "plain".

    Raises CodecError for an image that does not fit a BPG file.
    """
    with ThreadPoolExecutor(min(_FILES, available_cpus())) as threads:
        indexed = threads.submit(png.encode, image)
        quantized = threads.submit(bpg.encode_as, image, coding, mode)
        plain = None if original is None else threads.submit(bpg.encode_as, original, coding)
        return Files(indexed.result(), quantized.result(), None if plain is None else plain.result())
