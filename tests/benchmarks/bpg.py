"""BPG at three sizes: bytes, milliseconds to encode and decode, and the gain of a second thread.

    python -m tests.benchmarks.bpg --out docs/results/data/bpg-speed.json

The images come from scikit-learn's china.jpg: squares scaled down to 32x32 and 64x64, and the whole photo padded by
reflection to 1024x768, plus its mirror image. Each image is encoded unchanged and after k-means. All cases alternate,
with one thread and with two, so that a machine that slows down affects all of them.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image
from threadpoolctl import threadpool_limits

from models.codecs import bpg
from models.evaluation.report_kinds import Kind
from models.palette_image import PaletteImage
from models.quantizers.classical.catalog import CLASSICAL
from tests.benchmarks.reporting import write_report
from training.report import markdown

QP = 28
WIDTH, HEIGHT = 1024, 768
SQUARE = 160  # side of a square of the photo in pixels, before scaling
DECODED = 4  # decodings for each encoding, which takes much longer

CODINGS: tuple[tuple[int | None, bpg.Chroma | None], ...] = (
    (None, "444"),
    (None, "420"),
    *((colors, chroma) for colors in (2, 4) for chroma in ("444", None)),
)
"""(colors, chroma): None colors for the unchanged photo, None chroma for mode "auto", which selects chroma and QP."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bpg", description=__doc__)
    parser.add_argument(
        "--repetitions", type=int, default=6, help='encodings at 32x32 and 64x64; "auto" gets a third (%(default)s)'
    )
    parser.add_argument("--large", type=int, default=3, help="encodings at 1024x768; 0 skips this size (%(default)s)")
    parser.add_argument("--squares", type=int, default=24, help="squares of the photo at 32x32 and 64x64 (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    flags = f"--repetitions {args.repetitions} --large {args.large} --squares {args.squares} --out {args.out}"
    measured = measure(args.repetitions, args.large, args.squares)
    report = write_report(args.out, Kind.BPG_SPEED, f"tests.benchmarks.bpg {flags}", measured)
    print(table(report))
    return report


def measure(repetitions: int, large: int, squares: int) -> dict[str, Any]:
    """Measure each size and coding; "auto", which encodes about ten times, gets a third of the repetitions."""
    cases = []
    for (images, count), (colors, chroma) in product(photos(repetitions, large, squares), CODINGS):
        quantized = images if colors is None else [CLASSICAL["kmeans"].quantize(image, colors) for image in images]
        cases.append(Case(quantized, colors, chroma, count if chroma else -(-count // 3)))
    # "auto" searches nearest colors with BLAS, which would use the second core during single-thread runs.
    with threadpool_limits(1), ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        quick = [case for case in cases if case.chroma]
        for pool in (one, two):  # warm up
            list(pool.map(lambda case: bpg.decode(case.encode(case.images[0])), quick))
        for turn in range(max(case.repetitions for case in cases)):
            for case in cases:
                if turn < case.repetitions:
                    case.run((one, two))
    return {"qp": QP, "rows": [case.row() for case in cases]}


def photos(repetitions: int, large: int, squares: int) -> Iterator[tuple[list[NDArray[np.uint8]], int]]:
    """Yield the images of each size, (H, W, 3) uint8 sRGB, and their number of encodings."""
    photo = load_sample_image("china.jpg")
    height, width = photo.shape[:2]
    corners = product(np.linspace(0, height - SQUARE, 4), np.linspace(0, width - SQUARE, 6))
    boxes = [(left, top, left + SQUARE, top + SQUARE) for top, left in corners][:squares]
    for side in (32, 64):
        scaled = [Image.fromarray(photo).resize((side, side), Image.Resampling.LANCZOS, box) for box in boxes]
        yield [np.asarray(image) for image in scaled], repetitions
    if large:
        padded = np.pad(photo, ((0, HEIGHT - height), (0, WIDTH - width), (0, 0)), "symmetric")
        yield [padded, padded[:, ::-1]], large


@dataclass
class Case:
    """Images in one coding: the files, and the seconds per image of each repetition, by work and number of threads."""

    images: Sequence[NDArray[np.uint8] | PaletteImage]
    colors: int | None
    chroma: bpg.Chroma | None
    repetitions: int
    files: list[bytes] = field(default_factory=list)
    seconds: defaultdict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))

    def encode(self, image: NDArray[np.uint8] | PaletteImage) -> bytes:
        """Encode one image as BPG."""
        return bpg.encode(image, qp=QP, chroma=self.chroma) if self.chroma else bpg.encode(image, mode="auto")

    def run(self, pools: Sequence[Executor]) -> None:
        """Encode and decode all images with one thread, then with two."""
        for threads, pool in enumerate(pools, start=1):
            started = time.perf_counter()
            self.files = list(pool.map(self.encode, self.images))
            encoded = time.perf_counter()
            decoded = list(pool.map(bpg.decode, DECODED * self.files))
            self.seconds["decode", threads].append((time.perf_counter() - encoded) / len(decoded))
            self.seconds["encode", threads].append((encoded - started) / len(self.files))

    def row(self) -> dict[str, Any]:
        """Return mean bytes, median milliseconds, and images per second by number of threads."""
        height, width = bpg.decode(self.files[0]).shape[:2]
        size = sum(map(len, self.files)) / len(self.files)
        row = {"width": width, "height": height, "colors": self.colors, "mode": "plain" if self.chroma else "auto"}
        row |= {"chroma": self.chroma, "images": len(self.images), "repetitions": self.repetitions}
        row |= {"bytes": round(size, 1), "bits_per_pixel": round(8 * size / (width * height), 3)}
        for work in ("encode", "decode"):
            one, two = (float(np.median(self.seconds[work, threads])) for threads in (1, 2))
            row |= {f"{work}_ms": round(1000 * one, 2), f"{work}_ratio": round(one / two, 2)}
            row |= {f"{work}_per_second": {"1": round(1 / one, 2), "2": round(1 / two, 2)}}
        return row


def table(report: dict[str, Any]) -> str:
    """Return a Markdown table with a line for each row of the report."""
    heading = ["size", "image", "coded as", "bytes", "bits per pixel"]
    heading += ["encode ms", "2 threads", "decode ms", "2 threads"]
    return markdown.table(heading, [_line(row) for row in report["rows"]])


def _line(row: dict[str, Any]) -> list[str]:
    image = f"K = {row['colors']}" if row["colors"] else "photo"
    coding = ":".join(row["chroma"]) if row["chroma"] else "auto"
    cells = [f"{row['width']}x{row['height']}", image, coding, f"{row['bytes']:,.0f}", f"{row['bits_per_pixel']:.2f}"]
    for work in ("encode", "decode"):
        cells += [f"{row[f'{work}_ms']:,.1f}", f"x {row[f'{work}_ratio']:.2f}"]
    return cells


if __name__ == "__main__":
    main()
