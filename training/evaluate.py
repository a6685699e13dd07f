"""Top-1 of a frozen classifier on a whole test set painted with few colours, as a user gets it: from PNG bytes.

    python -m training.evaluate --data DATA/cifar10 --classifier cifar10-resnet9 --quantizer cifar10-colorcnn \\
        --out results/cifar10.json

Each image is quantized, its palette rounded to 8 bits, written as an indexed PNG, read back and classified. Nothing is
selected here: every method and every K that is asked for gets its row.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from models.codecs import png
from models.palette_image import PaletteImage
from models.pixels import decode
from models.quantizers.classical import CLASSICAL
from models.quantizers.learned import load_quantizer
from models.recognizer import Recognizer, load_recognizer
from models.registry import Registry
from training import run
from training.datasets import load

BATCH = 250
LEARNED = "colorcnn"

Images = NDArray[np.uint8]  # (B, s, s, 3) sRGB
Paint = Callable[[Images, int], list[PaletteImage]]


@dataclass(frozen=True)
class Row:
    """One method at one K over the whole test set.

    model: name of the checkpoint, None for a classical method. top1: share of the images whose label the classifier
    gives. kept: share that it classifies as it does the original. bytes: mean size of the PNG files. bits_per_pixel:
    8 bytes / pixels, with all of the PNG's chunks.
    """

    method: str
    model: str | None
    colors: int
    top1: float
    kept: float
    bytes: float
    bits_per_pixel: float
    seconds: float


@dataclass(frozen=True)
class Painter:
    """A quantizer for whole batches. model: name of its checkpoint, None for a classical method."""

    method: str
    model: str | None
    paint: Paint


@dataclass(frozen=True)
class EvaluationSet:
    """images: (N, s, s, 3) uint8. labels: (N,). originals: (N,), what the classifier sees in the images unquantized."""

    images: Images
    labels: NDArray[np.int64]
    originals: NDArray[np.int64]
    recognizer: Recognizer

    def measure(self, painter: Painter, colors: int, pool: ProcessPoolExecutor) -> Row:
        """Send every image through a PNG file; painters without a network share the processes of the pool."""
        started = time.perf_counter()
        parts = _parts(self.images)
        work = partial(_paint_and_send, painter.paint, colors)
        sent = map(work, parts) if painter.model else pool.map(work, parts)
        title = f"{painter.method}, {colors} colours"
        pixels, sizes = zip(*track(sent, title, total=len(parts), transient=True), strict=True)
        seen, size = _classify(self.recognizer, pixels), float(np.concatenate(sizes).mean())
        return Row(
            method=painter.method,
            model=painter.model,
            colors=colors,
            top1=float(np.mean(seen == self.labels)),
            kept=float(np.mean(seen == self.originals)),
            bytes=size,
            bits_per_pixel=8 * size / (self.images.shape[1] * self.images.shape[2]),
            seconds=round(time.perf_counter() - started, 1),
        )


def main(argv: Sequence[str] | None = None) -> list[Row]:
    """Parse flags, measure, print the table and write the JSON file."""
    args = _parser().parse_args(argv)
    registry, device = Registry.open(args.models), run.choose_device(args.device)
    tests = _test_set(run.require_data(args), load_recognizer(registry, args.classifier, device))
    painters = [Painter(name, None, partial(_classical, name)) for name in args.methods]
    if args.quantizer:
        learned = load_quantizer(registry, args.quantizer, device)
        painters.insert(0, Painter(LEARNED, args.quantizer, learned.quantize_batch))
    # Not forked: torch's threads would not live on in the children.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        rows = [tests.measure(painter, colors, pool) for painter in painters for colors in args.colors]
    report = {
        "dataset": args.dataset,
        "split": "test",
        "images": len(tests.images),
        "classifier": args.classifier,
        "top1_original": float(np.mean(tests.originals == tests.labels)),
        **run.describe(),
        "rows": [asdict(row) for row in rows],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    _print(report["top1_original"], rows, args.colors)
    return rows


def round_trip(painted: list[PaletteImage]) -> tuple[Images, NDArray[np.int64]]:
    """Write indexed PNG files and read them back: pixels (B, H, W, 3) uint8 and sizes in bytes (B,)."""
    files = [png.encode(image) for image in painted]
    return np.stack([decode(file).pixels for file in files]), np.array([len(file) for file in files])


def _test_set(folder: Path, recognizer: Recognizer) -> EvaluationSet:
    data = load(folder, "test", size=recognizer.network.config.size)
    data.require_classes(recognizer.classes)
    images = data.images.permute(0, 2, 3, 1).numpy()
    return EvaluationSet(images, data.labels.numpy(), _classify(recognizer, _parts(images)), recognizer)


def _parts(images: Images) -> list[Images]:
    return np.array_split(images, -(-len(images) // BATCH))


def _paint_and_send(paint: Paint, colors: int, images: Images) -> tuple[Images, NDArray[np.int64]]:
    return round_trip(paint(images, colors))


def _classical(name: str, images: Images, colors: int) -> list[PaletteImage]:
    return [CLASSICAL[name].quantize(image, colors) for image in images]


def _classify(recognizer: Recognizer, parts: Sequence[Images]) -> NDArray[np.int64]:
    return np.concatenate([recognizer.classify_batch(part) for part in parts])


def _print(original: float, rows: Sequence[Row], colors: Sequence[int]) -> None:
    table = Table(title=f"top-1 in % from PNG bytes; originals {100 * original:.2f}")
    for heading in ("method", *(f"K = {k}" for k in colors)):
        table.add_column(heading)
    for name in dict.fromkeys(row.method for row in rows):
        table.add_row(name, *(f"{100 * row.top1:.2f}" for row in rows if row.method == name))
    Console().print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description="Top-1 of a frozen classifier on a whole test set painted with few colours, from PNG bytes.",
    )
    run.add_data_flags(parser)
    run.add_models_flag(parser)
    parser.add_argument("--classifier", required=True, help="published classifier that looks at the images")
    parser.add_argument("--quantizer", help="published learned quantizer to measure (default: none)")
    parser.add_argument(
        "--methods",
        nargs="*",
        choices=sorted(CLASSICAL),
        default=sorted(CLASSICAL),
        help="classical quantizers to measure (default: all)",
    )
    parser.add_argument(
        "--colors", type=int, nargs="+", default=[2, 4, 8, 16, 32, 64], help="numbers of colours (2 4 8 16 32 64)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the results")
    return parser


if __name__ == "__main__":
    run.command(main)
