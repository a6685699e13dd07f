"""Quantization of a dataset: images in few colors, coded as BPG, or both, in the layout of any dataset.

    python -m training.quantize_dataset --data DATA/cifar10 --quantizer cifar10-resnet9-colorcnn --colors 2 \\
        --out runs/k2
    python -m training.quantize_dataset --data runs/k2 --qp 31 --out runs/k2-qp31

The command writes FOLDER/SPLIT-*.parquet with the bytes of one indexed PNG or BPG file per image, in the Hugging Face
layout that training.data.datasets reads. The splits are "train", "held_out" (the part of the original training set that
is kept for selection) and "test", if there is one, each in the order of the source. A quantized dataset can be coded
again, as in the second command. training.finetune trains classifiers on such datasets.

Each file is a block of images, which is read, quantized and written by itself. Complete files are kept, so a killed
command can be repeated and continues. With --engine ray, workers on Ray write the files; they are the same.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import torch
from pydantic import Field

from models.files import write_atomically
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.options import (
    ClassicalMethod,
    ModelsOptions,
    RayOptions,
    SourceOptions,
)
from training.data import workers
from training.data.datasets import DatasetError, LabeledImages, hold_out_rows, read
from training.data.layouts import ImageTable, Numbers, find, has_split
from training.data.options import DataOptions
from training.engines.quantized_blocks import BPG, Block, BlockWriter, Quantization
from training.engines.ray_workers import RayWorkers
from training.extras import rich
from training.loop.distributed import select_device
from training.options import Colors, Count

HEADER_FILE = "quantized.json"
SPLITS = ("train", "held_out", "test")
_FORMER_HEADER_FILE = "painted.json"
_COST_FILE = "cost.json"
_BLOCK = 1000


class QuantizeOptions(SourceOptions, DataOptions, ModelsOptions, RayOptions):
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
    block: Count = _BLOCK
    """Images in a Parquet file; a repeated command continues after the last complete file."""
    out: Path
    """Folder of the quantized dataset."""


@dataclass(frozen=True)
class Source:
    """Images to quantize. find: returns the images of a split. header: JSON values that describe the images."""

    find: Callable[[str], ImageTable]
    header: Mapping[str, Any]

    @property
    def lengths(self) -> dict[str, int]:
        """Number of images of each split."""
        first = _original_header(self.header)
        return {split: first[split] for split in SPLITS}

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        size: int = _original_header(self.header)["size"]
        return size

    @classmethod
    def original(
        cls, folder: Path, dataset: str | None, options: SourceOptions, size: int, *, in_order: bool = False
    ) -> Self:
        """Return the images of a dataset that the options select, `size` pixels on a side.

        in_order: whether the images of each part stand in the order of their files, so that a block of them lies
        together; by default they are in random order. A dataset in order needs no test split.
        """
        order = np.sort if in_order else np.asarray
        data = find(folder, "train")
        has_test = has_split(folder, "test") or not in_order
        test = find(folder, "test") if has_test else data.select(np.arange(0))
        train, held_out = map(
            _numbers, hold_out_rows(torch.from_numpy(data.labels), options.held_out, keep=options.train)
        )
        splits = {"train": data.select(order(train)), "held_out": data.select(order(held_out[: options.score]))}
        if options.test is not None:
            chosen = _numbers(hold_out_rows(torch.from_numpy(test.labels), options.test)[1])
            test = test.select(order(chosen))
        splits["test"] = test
        header = {"dataset": dataset, "size": size, **{name: len(images) for name, images in splits.items()}}
        return cls(splits.__getitem__, header | ({"order": "source"} if in_order else {}))

    @classmethod
    def quantized(cls, folder: Path) -> Self:
        """Return the images that `quantize` wrote into a folder; raises DatasetError if there are none."""
        content = read_header(folder)
        if content is None:
            raise DatasetError(f"{folder} is no quantized dataset")
        header = json.loads(content)
        return cls(partial(_find_whole, folder, _original_header(header)), header)

    def read(self, split: str, count: int | None = None) -> LabeledImages:
        """Read the images of a split into memory, all or the first `count`."""
        table = self.find(split)
        return read(table.select(np.arange(len(table))[:count]), self.size)


def main(argv: Sequence[str] | None = None) -> Path:
    """Run the quantization of a command line; returns the folder."""
    options = command_line.parse(QuantizeOptions, "training.quantize_dataset", argv).located()
    if options.quantizer and options.method:
        raise SystemExit("--method cannot be combined with --quantizer")
    registry, folder = Registry.open(options.models), options.folder.absolute()
    method = options.method or (LearnedQuantizer.name if options.quantizer else BPG)
    sha256 = registry.entry(options.quantizer).sha256 if options.quantizer else None
    quantization = Quantization(method, options.quantizer, options.colors, options.qp, sha256, options.chroma)
    device = select_device(options.device if options.engine == "local" else "cpu")
    learned = load_quantizer(registry, options.quantizer, device) if options.quantizer else None
    if read_header(folder) is not None:
        source = Source.quantized(folder)
    else:
        size = learned.size if learned else options.size
        source = Source.original(folder, options.dataset, options, size, in_order=True)
    blocks = missing_blocks(source, quantization, options.out.absolute(), options.block)
    if not blocks:
        return options.out
    if options.engine == "ray":
        models = options.models and options.models.absolute()
        make = partial(BlockWriter.open, quantization, source.size, models, options.device)
        with RayWorkers.started(options) as engine:
            _write(blocks, engine.map(make, blocks))
    else:
        with workers.worker_pool(options.workers) as pool:
            _write(blocks, map(BlockWriter(quantization, source.size, learned, pool.map), blocks))
    return options.out


def quantize(
    source: Source, quantization: Quantization, learned: LearnedQuantizer | None, folder: Path, pool: Executor
) -> None:
    """Write the missing files of a quantized dataset with the processes of a pool.

    learned: the quantizer, if the quantization names a model. Raises DatasetError if the folder holds another
    dataset, BadOption for a number of colors out of range.
    """
    blocks = missing_blocks(source, quantization, folder)
    _write(blocks, map(BlockWriter(quantization, source.size, learned, pool.map), blocks))


def missing_blocks(source: Source, quantization: Quantization, folder: Path, block: int = _BLOCK) -> list[Block]:
    """Return the blocks of a quantized dataset whose files do not exist; write the header of a new dataset.

    block: number of images in a file. Raises DatasetError if the folder holds another dataset.
    """
    described = quantization.to_json() | ({"block": block} if block != _BLOCK else {}) | {"source": source.header}
    header = json.loads(json.dumps(described))
    before = read_header(folder)
    if before is not None and json.loads(before) != header:
        raise DatasetError(f"{folder} holds images with other settings; choose another folder, or delete it")
    folder.mkdir(parents=True, exist_ok=True)
    if before is None:
        write_atomically(folder / HEADER_FILE, (json.dumps(header, indent=1) + "\n").encode())
    blocks = []
    for split, length in source.lengths.items():
        starts = range(0, length, block)
        files = {folder / f"{split}-{index:05}.parquet": start for index, start in enumerate(starts)}
        missing = {file: start for file, start in files.items() if not file.exists()}
        if missing:
            images = source.find(split)
            blocks += [
                Block(file, images.select(np.arange(start, min(start + block, length))))
                for file, start in missing.items()
            ]
    return blocks


def _write(blocks: Sequence[Block], seconds_of_blocks: Iterable[float]) -> None:
    """Wait until all blocks are written, and add up the seconds."""
    if not blocks:
        return
    folder = blocks[0].file.parent
    total = seconds(folder)
    for spent in rich.progress.track(seconds_of_blocks, folder.name, total=len(blocks), transient=True):
        total += spent
        write_atomically(folder / _COST_FILE, (json.dumps({"seconds": total}) + "\n").encode())


def read_header(folder: Path) -> bytes | None:
    """Return the JSON text that describes the quantized dataset in `folder`, or None."""
    for name in (HEADER_FILE, _FORMER_HEADER_FILE):
        if (folder / name).exists():
            return (folder / name).read_bytes()
    return None


def seconds(folder: Path) -> float:
    """Return the seconds spent on writing a quantized dataset, over all calls, without the time for its source.

    With workers on Ray, this is the sum over the workers.
    """
    file = folder / _COST_FILE
    return float(json.loads(file.read_text())["seconds"]) if file.exists() else 0.0


def _numbers(rows: torch.Tensor) -> Numbers:
    return rows.numpy()


def _original_header(header: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the header of the original images: side in pixels, and length of each split."""
    return _original_header(header["source"]) if "source" in header else header


def _find_whole(folder: Path, first: Mapping[str, Any], split: str) -> ImageTable:
    images = find(folder, split)
    if len(images) != first[split]:
        raise DatasetError(f"{folder} has {len(images)} of {first[split]} images in {split}: finish it first")
    return images


if __name__ == "__main__":
    command_line.run(main)
