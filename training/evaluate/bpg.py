"""BPG of few-color images against BPG of the originals at the same QP: bits, PSNR and top-1 of a frozen classifier.

    python -m training.evaluate.bpg --data DATA/cifar10 --classifier cifar10-resnet9 \\
        --quantizer cifar10-resnet9-colorcnn --out docs/results/data/cifar10-bpg.json

This is figure 7 of the reproduction study. The learned quantizer quantizes the first images of the test set once for
each K. The quantized images and the originals are encoded as BPG at every QP. PSNR is always to the original. Finished
rows are kept in a partial file beside --out, so a run that was killed continues.
"""

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from models.codecs import bpg
from models.codecs.bpg.codec import Chroma
from models.evaluation.compare import Measured, Setting, Summary, measure
from models.evaluation.reports import Kind
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.zoo.registry import Registry
from training.cli import numbers
from training.cli.arguments import command
from training.data import workers
from training.data.workers import Images, parts
from training.evaluate import harness
from training.evaluate.harness import words
from training.loop.distributed import choose_device

COLORS = (2, 4, 8, 16, 32)
QPS = tuple(range(52))
TIMED = 20  # images whose milliseconds are measured
ORIGINAL = "bpg"  # the method of the rows of images that are not quantized


@dataclass(frozen=True)
class Measurer:
    """Encodes all images as BPG and measures the files in the processes of the pool.

    sources: images to encode, (N, s, s, 3) uint8 sRGB, by number of colors; None is the key of the originals.
    """

    sources: Mapping[int | None, Images]
    view: int
    chroma: Chroma
    pool: ProcessPoolExecutor

    def __call__(self, setting: Setting) -> Iterable[list[Measured]]:
        """Return the measurements of the parts of the test set in their order."""
        work = partial(_measure_part, self.view, self.chroma, setting.qp or 0)
        return self.pool.map(work, parts(self.sources[None]), parts(self.sources[setting.colors]))

    def milliseconds(self, setting: Setting) -> float:
        """Return the mean run time of the encoder over the first TIMED images."""
        images = self.sources[setting.colors][:TIMED]
        started = time.perf_counter()
        for image in images:
            bpg.encode(image, qp=setting.qp or 0, chroma=self.chroma)
        return 1000 * (time.perf_counter() - started) / len(images)


def main(argv: Sequence[str] | None = None) -> list[Summary]:
    """Parse flags, measure, print the table and write the JSON file."""
    args = _parser().parse_args(argv)
    registry, device = Registry.open(args.models), choose_device(args.device)
    tests = harness.read_test_set(args, registry, device)
    learned = load_quantizer(registry, args.quantizer, device)
    sources = {None: tests.images} | {colors: _quantize(learned, tests.images, colors) for colors in args.colors}
    with workers.worker_pool(args.workers) as pool:
        measurer = Measurer(sources, tests.recognizer.size, args.chroma, pool)
        codec = f"BPG {':'.join(args.chroma)}"
        return harness.evaluate(Kind.BPG, tests, _settings(args), measurer, args, registry, codec=codec)


def _quantize(learned: LearnedQuantizer, images: Images, colors: int) -> Images:
    return np.stack([image.render() for part in parts(images) for image in learned.quantize_batch(part, colors)])


def _measure_part(view: int, chroma: Chroma, qp: int, originals: Images, sources: Images) -> list[Measured]:
    return [_measure(view, chroma, qp, *pair) for pair in zip(originals, sources, strict=True)]


def _measure(view: int, chroma: Chroma, qp: int, original: Images, source: Images) -> Measured:
    file = bpg.encode(source, qp=qp, chroma=chroma)
    return measure(original, file, bpg.fixed_bytes(file), view=view)


def _settings(args: argparse.Namespace) -> list[Setting]:
    sources = [(ORIGINAL, None, None), *((LearnedQuantizer.name, args.quantizer, k) for k in args.colors)]
    return [Setting(*source, qp=qp) for source in sources for qp in args.qps]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.bpg",
        description="BPG of few-color images against BPG of the originals at the same QP.",
    )
    harness.add_flags(parser)
    parser.add_argument("--quantizer", required=True, help="published learned quantizer")
    parser.add_argument(
        "--images", type=numbers.COUNT, default=1000, help="number of images, from the first on (%(default)s)"
    )
    parser.add_argument(
        "--colors", type=numbers.COLORS, nargs="+", default=COLORS, help=f"numbers of colors ({words(COLORS)})"
    )
    parser.add_argument(
        "--qps",
        type=int,
        nargs="+",
        choices=QPS,
        metavar="QP",
        default=QPS,
        help="quantization parameters of HEVC, 0 to 51 (all)",
    )
    parser.add_argument(
        "--chroma", choices=("444", "422", "420"), default="420", help="subsampling (%(default)s, as of bpgenc)"
    )
    return parser


if __name__ == "__main__":
    command(main)
