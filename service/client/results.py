"""Results of the client: image files, and reports with their files decoded."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from models.files import write_atomically
from service.schemas.reports import ClassifyReport, CompressReport, PredictionReport, QuantizeReport, RecognitionReport

if TYPE_CHECKING:
    from PIL import Image


class _File:
    """A result whose main part is one file."""

    def _content(self) -> bytes:
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file to `path`, or replace the one that is there, at once; return the path.

        Raises OSError if the folder of `path` does not exist or the disk is full; an old file then stays.
        """
        file = Path(path)
        write_atomically(file, self._content())
        return file

    def image(self) -> Image.Image:
        """Return the picture as a PIL image. Raises PIL.UnidentifiedImageError for BPG, raw and packed."""
        from PIL import Image

        picture = Image.open(io.BytesIO(self._content()))
        picture.load()
        return picture


@dataclass(frozen=True)
class ImageFile(_File):
    """A file as the service sent it. headers: by lower-case names; docs/api.md lists them."""

    data: bytes
    media_type: str
    headers: Mapping[str, str]

    def _content(self) -> bytes:
        return self.data

    def text(self, header: str) -> str | None:
        """Return a header as text, or None where the response has none."""
        value = self.headers.get(header.lower())
        return None if value is None else unquote(value)

    def number(self, header: str) -> float | None:
        """Return a header as a number, or None where the response has none."""
        value = self.headers.get(header.lower())
        return None if value is None else float(value)

    @property
    def model_sha256(self) -> str | None:
        """SHA-256 of the checkpoint that made the file; None for a classical method."""
        return self.text("X-Model-SHA256")

    @property
    def notes(self) -> tuple[str, ...]:
        """Changes that decoding made to the upload."""
        return _notes(self.headers)


@dataclass(frozen=True)
class Skipped:
    """The result of `skip_if_larger=True` where the file would not be smaller than the upload: there is none.

    notes: changes that decoding made to the upload, and the reason.
    """

    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quantized(_File):
    """A quantized image.

    report: palette, counts, predictions and more, as the JSON response has them.
    request_id: id of the request in the log of the service.
    models_digest: digest of the weights of the service that answered.
    """

    report: QuantizeReport
    request_id: str = ""
    models_digest: str = ""

    @cached_property
    def png(self) -> bytes:
        """The indexed PNG."""
        return base64.b64decode(self.report.png)

    def _content(self) -> bytes:
        return self.png

    @property
    def palette(self) -> list[str]:
        """Colors, as #rrggbb."""
        return self.report.palette

    @property
    def recognition(self) -> RecognitionReport | None:
        """Prediction before and after; None with `recognize=False`."""
        return self.report.recognition


@dataclass(frozen=True)
class Compressed(_File):
    """An image as BPG, and what that costs and changes; `save` writes the BPG file.

    report: the JSON response. request_id, models_digest: see `Quantized`.
    """

    report: CompressReport
    request_id: str = ""
    models_digest: str = ""

    @cached_property
    def bpg(self) -> bytes:
        """Quantized image as BPG."""
        return base64.b64decode(self.report.files.bpg)

    @cached_property
    def png(self) -> bytes:
        """Quantized image as an indexed PNG."""
        return base64.b64decode(self.report.files.png)

    @cached_property
    def original_bpg(self) -> bytes:
        """Upload as BPG."""
        return base64.b64decode(self.report.files.original_bpg)

    def _content(self) -> bytes:
        return self.bpg

    def image(self) -> Image.Image:
        """Return the quantized image as a PIL image; PIL reads no BPG, so this is the indexed PNG."""
        from PIL import Image

        picture = Image.open(io.BytesIO(self.png))
        picture.load()
        return picture


@dataclass(frozen=True)
class Classified:
    """Predictions of a classifier, the most probable first.

    report: the JSON response. request_id, models_digest: see `Quantized`.
    """

    report: ClassifyReport
    request_id: str = ""
    models_digest: str = ""

    @property
    def predictions(self) -> list[PredictionReport]:
        """Classes and their probabilities, the most probable first."""
        return self.report.predictions

    @property
    def label(self) -> str:
        """Most probable class."""
        return self.report.predictions[0].label

    @property
    def probability(self) -> float:
        """Probability of the most probable class, 0 to 1."""
        return self.report.predictions[0].probability

    @cached_property
    def cam(self) -> bytes | None:
        """Activation map drawn over the image, a PNG; None without the option `cam`."""
        return base64.b64decode(self.report.cam.png) if self.report.cam else None


def skipped(headers: Mapping[str, str]) -> Skipped:
    """Return the result of a response without content."""
    return Skipped(_notes(headers))


def _notes(headers: Mapping[str, str]) -> tuple[str, ...]:
    notes = headers.get("x-image-notes")
    return tuple(unquote(notes).split("; ")) if notes else ()
