"""Quantization of a dataset: images in few colors, coded as BPG, or both, in the layout of any dataset.

    python -m training.quantize_dataset --data DATA/cifar10 --quantizer cifar10-resnet9-colorcnn --colors 2 \\
        --out runs/cache/k2
    python -m training.quantize_dataset --data runs/cache/k2 --qp 31 --out runs/cache/k2-qp31

The command writes FOLDER/SPLIT-*.parquet with the bytes of one indexed PNG or BPG file per image, in the Hugging Face
layout that training.data.datasets reads. The splits are "train", "held_out" (the part of the original training set that
is kept for selection) and "test". A quantized dataset can be coded again, as in the second command. Finished parts are
kept, so a killed command can be repeated and continues. training.finetune trains classifiers on such datasets.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from pydantic import Field

from models.codecs import bpg, png, truecolor
from models.codecs.bpg.codec import Chroma
from models.names import TRUECOLOR
from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.options import ClassicalMethod, DeviceOptions, ModelsOptions, SourceOptions, WorkersOptions
from training.data.datasets import DatasetError, LabeledImages, load, write_part
from training.data.options import DataOptions
from training.data.workers import Images, parts, worker_pool
from training.extras import rich
from training.loop.distributed import select_device
from training.options import Colors, Count

HEADER_FILE = "quantized.json"
BPG = "bpg"
SPLITS = ("train", "held_out", "test")
_FORMER_HEADER_FILE = "painted.json"
_COST_FILE = "cost.json"
_PART = 1000  # images in a file


class QuantizeOptions(SourceOptions, DataOptions, ModelsOptions, DeviceOptions, WorkersOptions):
    """Write a dataset whose images are quantized, coded as BPG, or both."""

    quantizer: str | None = None
    """Published learned quantizer; images are resized to the quantizer's native size."""
    method: ClassicalMethod | None = None
    """Classical quantizer instead of a learned one."""
    colors: Colors | None = None
    """K, the number of colors, 2 to 256."""
    qp: Annotated[int, Field(ge=0, le=51)] | None = None
    """QP of BPG, 0 to 51; indexed PNG by default."""
    size: Count = 32
    """Side of the images in pixels, without --quantizer."""
    out: Path
    """Folder of the quantized dataset."""


@dataclass(frozen=True)
class Source:
    """Images to quantize. read: returns the images of a split. header: JSON values that describe the images."""

    read: Callable[[str], LabeledImages]
    header: Mapping[str, Any]

    @property
    def lengths(self) -> dict[str, int]:
        """Number of images of each split."""
        first = _original_header(self.header)
        return {split: first[split] for split in SPLITS}

    @classmethod
    def original(cls, folder: Path, dataset: str | None, options: SourceOptions, size: int) -> Self:
        """Return the images of a dataset that the options select, `size` pixels on a side."""
        data = load(folder, "train", size=size)
        train, held_out = data.hold_out(options.held_out, keep=options.train)
        if options.score is not None:
            held_out = held_out.select(torch.arange(min(options.score, len(held_out))))
        test = load(folder, "test", size=size)
        if options.test is not None:
            test = test.hold_out(options.test)[1]
        splits = {"train": train, "held_out": held_out, "test": test}
        lengths = {name: len(images) for name, images in splits.items()}
        return cls(splits.__getitem__, {"dataset": dataset, "size": size, **lengths})

    @classmethod
    def quantized(cls, folder: Path) -> Self:
        """Return the images that `quantize` wrote into a folder; raises DatasetError if there are none."""
        content = read_header(folder)
        if content is None:
            raise DatasetError(f"{folder} is no quantized dataset")
        header = json.loads(content)
        return cls(partial(_read_whole, folder, _original_header(header)), header)


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


def main(argv: Sequence[str] | None = None) -> Path:
    """Run the quantization of a command line; returns the folder."""
    options = command_line.parse(QuantizeOptions, "training.quantize_dataset", argv).located()
    if options.quantizer and options.method:
        raise SystemExit("--method cannot be combined with --quantizer")
    registry, folder = Registry.open(options.models), options.folder
    method = options.method or (LearnedQuantizer.name if options.quantizer else BPG)
    sha256 = registry.entry(options.quantizer).sha256 if options.quantizer else None
    quantization = Quantization(method, options.quantizer, options.colors, options.qp, sha256, options.chroma)
    device = select_device(options.device)
    learned = load_quantizer(registry, options.quantizer, device) if options.quantizer else None
    size = learned.size if learned else options.size
    is_quantized = read_header(folder) is not None
    source = Source.quantized(folder) if is_quantized else Source.original(folder, options.dataset, options, size)
    with worker_pool(options.workers) as pool:
        quantize(source, quantization, learned, options.out, pool)
    return options.out


def quantize(
    source: Source, quantization: Quantization, learned: LearnedQuantizer | None, folder: Path, pool: Executor
) -> None:
    """Write the missing parts of a quantized dataset.

    learned: the quantizer, if the quantization names a model. Raises DatasetError if the folder holds another
    dataset, BadOption for a number of colors out of range.
    """
    header = json.loads(json.dumps(quantization.to_json() | {"source": source.header}))
    before = read_header(folder)
    if before is not None and json.loads(before) != header:
        raise DatasetError(f"{folder} holds images with other settings; choose another folder, or delete it")
    folder.mkdir(parents=True, exist_ok=True)
    if before is None:
        (folder / HEADER_FILE).write_text(json.dumps(header, indent=1) + "\n")
    for split, length in source.lengths.items():
        files = {folder / f"{split}-{i:05}.parquet": rows for i, rows in enumerate(torch.arange(length).split(_PART))}
        missing = {file: rows for file, rows in files.items() if not file.exists()}
        if missing:
            _write(missing, source.read(split), quantization, learned, pool)


def _write(
    files: Mapping[Path, torch.Tensor],
    images: LabeledImages,
    quantization: Quantization,
    learned: LearnedQuantizer | None,
    pool: Executor,
) -> None:
    """Write Parquet files, each with the given rows of the images."""
    for file, rows in rich.progress.track(files.items(), f"{next(iter(files)).parent.name}", transient=True):
        started = time.perf_counter()
        part = images.select(rows)
        pieces = _files(part.images.permute(0, 2, 3, 1).numpy(), quantization, learned, pool)
        write_part(file, [data for piece in pieces for data in piece], part)
        total = seconds(file.parent) + time.perf_counter() - started
        (file.parent / _COST_FILE).write_text(json.dumps({"seconds": total}) + "\n")


def read_header(folder: Path) -> bytes | None:
    """Return the JSON text that describes the quantized dataset in `folder`, or None."""
    for name in (HEADER_FILE, _FORMER_HEADER_FILE):
        if (folder / name).exists():
            return (folder / name).read_bytes()
    return None


def seconds(folder: Path) -> float:
    """Return the seconds spent on writing a quantized dataset, over all calls, without the time for its source."""
    file = folder / _COST_FILE
    return float(json.loads(file.read_text())["seconds"]) if file.exists() else 0.0


def _original_header(header: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the header of the original images: side in pixels, and length of each split."""
    return _original_header(header["source"]) if "source" in header else header


def _read_whole(folder: Path, first: Mapping[str, Any], split: str) -> LabeledImages:
    images = load(folder, split, size=first["size"])
    if len(images) != first[split]:
        raise DatasetError(f"{folder} has {len(images)} of {first[split]} images in {split}: finish it first")
    return images


def _files(
    images: Images, quantization: Quantization, learned: LearnedQuantizer | None, pool: Executor
) -> Iterator[list[bytes]]:
    """Return the files of (B, s, s, 3) uint8 sRGB images, in pieces."""
    pieces = parts(images)
    if learned is None:
        return pool.map(partial(_quantize_and_encode, quantization), pieces)
    quantized = (learned.quantize_batch(piece, quantization.colors or 0) for piece in pieces)
    return pool.map(partial(_encode, quantization), quantized)


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


if __name__ == "__main__":
    command_line.run(main)
