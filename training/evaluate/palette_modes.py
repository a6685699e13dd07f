"""The size of BPG files that preserve the index map, coding by coding, against the indexed PNG.

    python -m training.evaluate.palette_modes --data DATA/cifar10 --quantizer cifar10-resnet9-colorcnn \\
        --photos tests/photos/cat.jpg --out docs/results/data/cifar10-palette-modes.json

The learned quantizer and k-means quantize images of the held-out part of the training set, at the network's size, and
whole photos. Each quantized image is written as PNG and as BPG: by each coding alone, as an index plane, and in the
mode "auto". A coding takes the highest QP that preserves the index map, or none and encodes without loss. No image is
classified, and the test set is not read.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from itertools import product
from pathlib import Path

import numpy as np

from models.codecs import bpg, png
from models.codecs.bpg import codec
from models.codecs.bpg.codec import Coding
from models.codecs.bpg.palette_modes import coarsest_exact
from models.decoding.decode import decode
from models.evaluation.reports import Kind, PaletteModeRow, head
from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import load_quantizer
from models.zoo.registry import Registry
from training.cli import numbers
from training.cli.arguments import add_data_flags, add_models_flag, command, require_data
from training.data import workers
from training.data.datasets import load
from training.data.workers import Images
from training.evaluate.harness import words, write_report
from training.loop.distributed import choose_device
from training.loop.provenance import describe

COLORS = (2, 4, 8)
CODINGS: Mapping[str, Coding] = {
    "RGB": Coding(color_space="rgb"),
    "4:4:4": Coding(),
    "4:4:4, all transformed": Coding(transform_skip=False),
    "4:2:2": Coding(chroma="422"),
    "4:2:0": Coding(chroma="420"),
}
_LOSSLESS = Coding(lossless=True, color_space="rgb")


def main(argv: Sequence[str] | None = None) -> list[PaletteModeRow]:
    """Parse flags, measure and write the JSON file."""
    args = _parser().parse_args(argv)
    learned = load_quantizer(Registry.open(args.models), args.quantizer, choose_device(args.device))
    sources = _sources(args, learned.network.config.encoder.size)
    cases = product(sources.items(), (learned, CLASSICAL["kmeans"]), args.colors)
    with workers.worker_pool(args.workers) as pool:
        rows = [row for (name, images), method, k in cases for row in _rows(name, method, images, k, pool)]
    data = {"dataset": args.dataset, "split": "held-out part of train", "quantizer": args.quantizer}
    write_report(args.out, head(Kind.PALETTE_MODES) | data | describe(), rows)
    return rows


def _sources(args: argparse.Namespace, size: int) -> dict[str, Sequence[Images]]:
    """Return the images, each (H, W, 3) uint8 sRGB, by the name of their dataset or photo."""
    _, held_out = load(require_data(args), "train", size=size).hold_out(args.held_out)
    small = held_out.images[: args.images].permute(0, 2, 3, 1).numpy()
    return {args.dataset: list(small)} | {file.name: [decode(file.read_bytes()).pixels] for file in args.photos}


def _rows(
    source: str, quantizer: Quantizer, images: Sequence[Images], colors: int, pool: Executor
) -> Iterator[PaletteModeRow]:
    tried = list(pool.map(_sizes, [quantizer.quantize(image, colors) for image in images]))
    for coding in tried[0]:
        sizes, exact = zip(*(files[coding] for files in tried), strict=True)
        yield PaletteModeRow(
            source=source,
            method=quantizer.name,
            colors=colors,
            coding=coding,
            images=len(images),
            bytes=float(np.mean(sizes)),
            exact=float(np.mean(exact)),
        )


def _sizes(image: PaletteImage) -> dict[str, tuple[int, bool]]:
    """Return by coding the bytes of the file, and whether some QP preserves the index map."""
    lossless = len(codec.encode(image.render(), _LOSSLESS))
    coarsest = {name: coarsest_exact(image, coding) for name, coding in CODINGS.items()}
    sizes = {name: (len(best.file) if best else lossless, best is not None) for name, best in coarsest.items()}
    if image.colors == 2:
        sizes["index plane"] = len(bpg.encode(image, mode="index")), True
    sizes["auto"] = len(bpg.encode(image, mode="auto")), True
    return {"PNG": (len(png.encode(image, effort="max")), True), "RGB without loss": (lossless, True)} | sizes


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.palette_modes",
        description="Bytes of few-color images as BPG that preserves the index map, by coding, against PNG.",
    )
    add_data_flags(parser)
    add_models_flag(parser)
    parser.add_argument("--quantizer", required=True, help="published learned quantizer")
    parser.add_argument(
        "--images",
        type=numbers.COUNT,
        default=100,
        help="number of images of the held-out part of the training set (%(default)s)",
    )
    parser.add_argument(
        "--held-out",
        type=numbers.COUNT,
        default=5000,
        help="size of the held-out part in the training of the quantizer (%(default)s)",
    )
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="image files, quantized in their own size")
    parser.add_argument(
        "--colors", type=numbers.COLORS, nargs="+", default=COLORS, help=f"numbers of colors ({words(COLORS)})"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    parser.add_argument("--workers", type=numbers.COUNT, help="processes (default: one for each core)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the results")
    return parser


if __name__ == "__main__":
    command(main)
