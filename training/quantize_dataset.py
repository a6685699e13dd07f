"""A dataset of painted images: another dataset in few colors, or through BPG, as files that are read as any other.

    python -m training.quantize_dataset --data DATA/cifar10 --quantizer cifar10-resnet9-colorcnn --colors 2 --out runs/cache/k2
    python -m training.quantize_dataset --data runs/cache/k2 --qp 31 --out runs/cache/k2-qp31

Writes FOLDER/SPLIT-*.parquet with the bytes of an indexed PNG or a BPG file for each image, in the Hugging Face layout
that training.data.datasets reads: "train", "held_out", what is held out of the original training set for selection, and
"test". A painted dataset can be painted again, as the second line does. Every part that is whole is kept, so a call
that was killed goes on where it was. Classifiers are fine-tuned on such datasets (training.finetune).
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from rich.progress import track

from models.codecs import bpg, png, truecolor
from models.codecs.bpg.codec import Chroma
from models.evaluation.compare import Setting
from models.names import TRUECOLOR
from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.zoo.registry import Registry
from training.cli import arguments, numbers
from training.cli.arguments import add_data_flags, add_models_flag, command, require_data
from training.data import workers
from training.data.datasets import DatasetError, LabelledImages, load, write_part
from training.data.workers import Images, parts
from training.loop.distributed import choose_device

HEADER_FILE = "painted.json"
_COST_FILE = "cost.json"
SPLITS = ("train", "held_out", "test")
BPG = "bpg"
"""The method of what is not painted, only coded."""
_PART = 1000  # images in a file


@dataclass(frozen=True)
class Source:
    """Images to paint. read: those of a split, one of SPLITS. header: JSON values that say what they are."""

    read: Callable[[str], LabelledImages]
    header: Mapping[str, Any]

    @property
    def lengths(self) -> dict[str, int]:
        """How many images each split has."""
        first = _first(self.header)
        return {split: first[split] for split in SPLITS}

    @classmethod
    def original(cls, folder: Path, args: argparse.Namespace, size: int) -> Self:
        """The images of a dataset that the flags of `add_source_flags` choose, in `size` pixels."""
        data = load(folder, "train", size=size)
        train, held_out = data.hold_out(args.held_out, keep=args.train)
        if args.score is not None:
            held_out = held_out.select(torch.arange(min(args.score, len(held_out))))
        test = load(folder, "test", size=size)
        if args.test is not None:
            test = test.hold_out(args.test)[1]
        splits = {"train": train, "held_out": held_out, "test": test}
        lengths = {name: len(images) for name, images in splits.items()}
        return cls(splits.__getitem__, {"dataset": args.dataset, "size": size, **lengths})

    @classmethod
    def painted(cls, folder: Path) -> Self:
        """What `paint` wrote into a folder."""
        header = json.loads((folder / HEADER_FILE).read_text())
        return cls(partial(_read_whole, folder, _first(header)), header)


@dataclass(frozen=True)
class Painting:
    """What is done to images.

    setting: a quantizer and a number of colors; BPG, at `qp`; or TRUECOLOR, nothing at all. sha256: of
    the quantizer's checkpoint, None for one without. chroma: of BPG.
    """

    setting: Setting
    sha256: str | None = None
    chroma: Chroma = "420"

    def __post_init__(self) -> None:
        if self.setting.method == BPG and self.setting.qp is None:
            raise DatasetError("--qp is missing: neither painted nor coded these would be the originals")
        if self.setting.method not in (BPG, TRUECOLOR) and self.setting.colors is None:
            raise DatasetError(f"--colors is missing: how many shall {self.setting.method} paint with?")


def main(argv: Sequence[str] | None = None) -> Path:
    """Parse flags and paint; returns the folder."""
    args = _parser().parse_args(argv)
    registry, folder = Registry.open(args.models), require_data(args)
    method = args.method or (LearnedQuantizer.name if args.quantizer else BPG)
    sha256 = registry.entry(args.quantizer).sha256 if args.quantizer else None
    painting = Painting(Setting(method, args.quantizer, args.colors, qp=args.qp), sha256, args.chroma)
    learned = load_quantizer(registry, args.quantizer, choose_device(args.device)) if args.quantizer else None
    is_painted = (folder / HEADER_FILE).exists()
    size = learned.size if learned else args.size
    source = Source.painted(folder) if is_painted else Source.original(folder, args, size)
    with workers.worker_pool(args.workers) as pool:
        paint(source, painting, learned, args.out, pool)
    return Path(args.out)


def paint(source: Source, painting: Painting, learned: LearnedQuantizer | None, folder: Path, pool: Executor) -> None:
    """Make the parts of a painted dataset that are not there yet.

    learned: the quantizer of a setting that names a model. Raises DatasetError where the folder holds a dataset that
    was painted otherwise, BadOption for a number of colors out of range.
    """
    header = json.loads(json.dumps(asdict(painting))) | {"source": source.header}
    file = folder / HEADER_FILE
    if file.exists() and json.loads(file.read_text()) != header:
        raise DatasetError(f"{folder} holds images that were painted otherwise; choose another folder, or delete it")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(header, indent=1) + "\n")
    for split, length in source.lengths.items():
        rows = {folder / f"{split}-{i:05}.parquet": each for i, each in enumerate(torch.arange(length).split(_PART))}
        missing = {file: chosen for file, chosen in rows.items() if not file.exists()}
        if not missing:
            continue
        images = source.read(split)
        for file, chosen in track(missing.items(), f"{folder.name}, {split}", transient=True):
            started = time.perf_counter()
            part = images.select(chosen)
            pieces = _files(part.images.permute(0, 2, 3, 1).numpy(), painting, learned, pool)
            write_part(file, [data for piece in pieces for data in piece], part)
            total = seconds(folder) + time.perf_counter() - started
            (folder / _COST_FILE).write_text(json.dumps({"seconds": total}) + "\n")


def seconds(folder: Path) -> float:
    """What it took to make the parts of a painted dataset, also in earlier calls; not what its source took."""
    file = folder / _COST_FILE
    return float(json.loads(file.read_text())["seconds"]) if file.exists() else 0.0


def _first(header: Mapping[str, Any]) -> Mapping[str, Any]:
    """The header of the originals, which has the side of all images in pixels, and the length of each split."""
    return _first(header["source"]) if "source" in header else header


def _read_whole(folder: Path, first: Mapping[str, Any], split: str) -> LabelledImages:
    images = load(folder, split, size=first["size"])
    if len(images) != first[split]:
        raise DatasetError(f"{folder} has {len(images)} of {first[split]} images in {split}: paint it to its end first")
    return images


def _files(
    images: Images, painting: Painting, learned: LearnedQuantizer | None, pool: Executor
) -> Iterator[list[bytes]]:
    """The files of (B, s, s, 3) uint8 sRGB images, in pieces."""
    pieces, setting = parts(images), painting.setting
    if learned is None:
        return pool.map(partial(_make, painting), pieces)
    painted = (learned.quantize_batch(piece, setting.colors or 0) for piece in pieces)
    return pool.map(partial(_encode, painting), painted)


def _make(painting: Painting, images: Images) -> list[bytes]:
    setting = painting.setting
    if setting.method == TRUECOLOR:
        return [truecolor.encode(image) for image in images]
    if setting.method == BPG:
        return [bpg.encode(image, qp=setting.qp or 0, chroma=painting.chroma) for image in images]
    quantizer: Quantizer = CLASSICAL[setting.method]
    return _encode(painting, (quantizer.quantize(image, setting.colors or 0) for image in images))


def _encode(painting: Painting, painted: Iterable[PaletteImage]) -> list[bytes]:
    if (qp := painting.setting.qp) is None:
        return [png.encode(image) for image in painted]
    return [bpg.encode(image.render(), qp=qp, chroma=painting.chroma) for image in painted]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.quantize_dataset",
        description="Write a dataset whose images are painted, coded as BPG, or both.",
    )
    add_data_flags(parser)
    add_models_flag(parser)
    painter = parser.add_mutually_exclusive_group()
    painter.add_argument("--quantizer", help="published learned quantizer that paints the images, in its own size")
    painter.add_argument("--method", choices=sorted(CLASSICAL), help="classical quantizer that paints them instead")
    parser.add_argument("--colors", type=numbers.COLORS, help="K, 2 to 256")
    parser.add_argument("--qp", type=int, choices=range(52), metavar="QP", help="of BPG (default: indexed PNG)")
    add_source_flags(parser)
    parser.add_argument(
        "--size", type=numbers.COUNT, default=32, help="pixels of a side, without --quantizer (%(default)s)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    parser.add_argument(
        "--workers", type=numbers.COUNT, help="processes for all but the networks (default: one for each core)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the painted dataset")
    return parser


def add_source_flags(parser: argparse.ArgumentParser) -> None:
    """Which images of a dataset are painted, and how they are coded."""
    parser.add_argument("--chroma", choices=("444", "422", "420"), default="420", help="of BPG (%(default)s)")
    parser.add_argument("--test", type=numbers.COUNT, metavar="N", help="so many of the test images (all)")
    parser.add_argument("--score", type=numbers.COUNT, metavar="N", help="so many of those that are held out (all)")
    arguments.add_split_flags(parser)


if __name__ == "__main__":
    command(main)
