"""The files of the reference encoder in vectors/, with the pixels of the reference decoder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.rgb import Pixels

_FOLDER = Path(__file__).parent / "vectors"


@dataclass(frozen=True)
class Vector:
    """A file with its entry of manifest.json."""

    entry: dict[str, Any]

    def __str__(self) -> str:
        return str(self.entry["file"]).removesuffix(".bpg")

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return Path(_FOLDER, self.entry["file"]).read_bytes()

    @property
    def pixels(self) -> Pixels:
        """The pixels of the reference decoder, (H, W, 3) uint8, or (H, W, 4) with alpha."""
        with Image.open(Path(_FOLDER, self.entry["png"])) as image:
            return np.asarray(image)


_ALL = [Vector(entry) for entry in json.loads((_FOLDER / "manifest.json").read_text())["vectors"]]

# FFmpeg decodes implicit RDPCM with bypassed transforms to wrong pixels without an error, so we must refuse the file.
REFUSED = [vector for vector in _ALL if str(vector) == "gray_31x17_jctvc_lossless"]
MALFORMED = [vector for vector in _ALL if vector.entry["kind"] == "malformed"]
VALID = [vector for vector in _ALL if vector not in MALFORMED + REFUSED]


def named(name: str) -> Vector:
    """The vector with this file name, without its extension."""
    return next(vector for vector in _ALL if str(vector) == name)
