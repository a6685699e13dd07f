"""Blocks of a quantized dataset: one Parquet file each, whose content depends on no other block and on no engine."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from models.codecs import bpg, png, truecolor
from models.codecs.bpg.codec import Chroma
from models.names import TRUECOLOR
from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.zoo.registry import Registry
from training.data.datasets import DatasetError, read, write_part
from training.data.layouts import ImageTable
from training.data.workers import Images, parts
from training.loop.distributed import select_device

BPG = "bpg"

Map = Callable[..., Iterator[Any]]
"""`map`, or the method of that name of a pool of processes."""


@dataclass(frozen=True)
class Quantization:
    """Processing of the images.

    method: a quantizer; BPG for coding alone; TRUECOLOR for lossless PNG. model, sha256: checkpoint of a learned
    quantizer. colors: of a quantizer. qp: of BPG, None for PNG. chroma: subsampling of BPG.
    """

    method: str
    model: str | None = None
    colors: int | None = None
    qp: int | None = None
    sha256: str | None = None
    chroma: Chroma = "420"

    def __post_init__(self) -> None:
        if self.method == BPG and self.qp is None:
            raise DatasetError("--qp is missing: without it and without a quantizer the images would not change")
        if self.method not in (BPG, TRUECOLOR) and self.colors is None:
            raise DatasetError(f"--colors is missing: give the number of colors for {self.method}")

    def to_json(self) -> dict[str, Any]:
        """Return JSON values for the header of the dataset."""
        setting = {"method": self.method, "model": self.model, "colors": self.colors, "quality": self.qp}
        return {"setting": setting, "sha256": self.sha256, "chroma": self.chroma}


@dataclass(frozen=True)
class Block:
    """Images that become the rows of one Parquet file."""

    file: Path
    images: ImageTable


@dataclass(frozen=True)
class BlockWriter:
    """Writes blocks of images, `size` pixels on a side. learned: the quantizer, if `quantization` names a model."""

    quantization: Quantization
    size: int
    learned: LearnedQuantizer | None
    run: Map = map

    @classmethod
    def open(cls, quantization: Quantization, size: int, models: Path | None, device: str) -> "BlockWriter":
        """Load the model of the quantization in another process than that of the command.

        Raises DatasetError if the weights there are others.
        """
        if quantization.model is None:
            return cls(quantization, size, None)
        registry = Registry.open(models)
        require_weights(registry, {quantization.model: quantization.sha256})
        return cls(quantization, size, load_quantizer(registry, quantization.model, select_device(device)))

    def __call__(self, block: Block) -> float:
        """Write the file of a block; return the seconds, without the time for reading the images."""
        images = read(block.images, self.size)
        started = time.perf_counter()
        pieces = self._files(images.images.permute(0, 2, 3, 1).numpy())
        write_part(block.file, [data for piece in pieces for data in piece], images)
        return time.perf_counter() - started

    def _files(self, images: Images) -> Iterator[list[bytes]]:
        """Return the files of (B, s, s, 3) uint8 sRGB images, in pieces."""
        pieces = parts(images)
        if self.learned is None:
            return self.run(partial(_quantize_and_encode, self.quantization), pieces)
        learned, colors = self.learned, self.quantization.colors or 0
        quantized = (learned.quantize_batch(piece, colors) for piece in pieces)
        return self.run(partial(_encode, self.quantization), quantized)


def require_weights(registry: Registry, sha256: dict[str, str | None]) -> None:
    """Raise DatasetError unless the models of the registry have these hashes, by name."""
    for name, wanted in sha256.items():
        if (found := registry.entry(name).sha256) != wanted:
            raise DatasetError(f"{name} has other weights here, SHA-256 {found}, than where the command runs, {wanted}")


def _quantize_and_encode(quantization: Quantization, images: Images) -> list[bytes]:
    if quantization.method == TRUECOLOR:
        return [truecolor.encode(image) for image in images]
    if quantization.method == BPG:
        return [bpg.encode(image, qp=quantization.qp or 0, chroma=quantization.chroma) for image in images]
    quantizer: Quantizer = CLASSICAL[quantization.method]
    return _encode(quantization, (quantizer.quantize(image, quantization.colors or 0) for image in images))


def _encode(quantization: Quantization, images: Iterable[PaletteImage]) -> list[bytes]:
    if quantization.qp is None:
        return [png.encode(image) for image in images]
    return [bpg.encode(image.render(), qp=quantization.qp, chroma=quantization.chroma) for image in images]
