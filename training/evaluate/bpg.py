"""BPG of few-color images against BPG of the originals at the same QP: bits, PSNR and a frozen classifier's top-1.

    python -m training.evaluate.bpg --data DATA/cifar10 --classifier cifar10-resnet9 \\
        --quantizer cifar10-resnet9-colorcnn --out docs/results/data/cifar10-bpg.json

Figure 7 of the reproduction study. The first images of the test set are painted once for each K by the learned
quantizer, then these and the originals go through BPG at every QP. PSNR is to the original, whatever was coded. What is
done is kept in a partial file beside --out, so a run that was killed goes on where it was.
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
TIMED = 20  # images whose milliseconds are taken
ORIGINAL = "bpg"  # the method of the rows whose images were not painted


@dataclass(frozen=True)
class Measurer:
    """Puts all images through BPG. painted: (N, s, s, 3) uint8 sRGB for each K, and for None the originals."""

    painted: Mapping[int | None, Images]
    view: int
    chroma: Chroma
    pool: ProcessPoolExecutor

    def __call__(self, setting: Setting) -> Iterable[list[Measured]]:
        """The parts of the test set in their order; the setting's quality is the QP."""
        work = partial(_through_bpg, self.view, self.chroma, setting.quality or 0)
        return self.pool.map(work, parts(self.painted[None]), parts(self.painted[setting.colors]))

    def milliseconds(self, setting: Setting) -> float:
        """What one image takes to be encoded, mean of the first TIMED ones."""
        images = self.painted[setting.colors][:TIMED]
        started = time.perf_counter()
        for image in images:
            bpg.encode(image, qp=setting.quality or 0, chroma=self.chroma)
        return 1000 * (time.perf_counter() - started) / len(images)


def main(argv: Sequence[str] | None = None) -> list[Summary]:
    """Parse flags, measure, print the table and write the JSON file."""
    args = _parser().parse_args(argv)
    registry, device = Registry.open(args.models), choose_device(args.device)
    tests = harness.read_test_set(args, registry, device)
    learned = load_quantizer(registry, args.quantizer, device)
    painted = {None: tests.images} | {colors: _paint(learned, tests.images, colors) for colors in args.colors}
    with workers.worker_pool(args.workers) as pool:
        measurer = Measurer(painted, tests.recognizer.size, args.chroma, pool)
        codec = f"BPG {':'.join(args.chroma)}"
        settings, clock = _settings(args), measurer.milliseconds
        return harness.evaluate(tests, settings, measurer, args, registry, clock=clock, codec=codec)


def _paint(learned: LearnedQuantizer, images: Images, colors: int) -> Images:
    return np.stack([image.render() for part in parts(images) for image in learned.quantize_batch(part, colors)])


def _through_bpg(view: int, chroma: Chroma, qp: int, originals: Images, painted: Images) -> list[Measured]:
    return [_measure(view, chroma, qp, *pair) for pair in zip(originals, painted, strict=True)]


def _measure(view: int, chroma: Chroma, qp: int, original: Images, painted: Images) -> Measured:
    file = bpg.encode(painted, qp=qp, chroma=chroma)
    return measure(original, file, bpg.fixed_bytes(file), view=view)


def _settings(args: argparse.Namespace) -> list[Setting]:
    sources = [(ORIGINAL, None, None), *((LearnedQuantizer.name, args.quantizer, k) for k in args.colors)]
    return [Setting(*source, quality=qp) for source in sources for qp in args.qps]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.bpg",
        description="BPG of few-color images against BPG of the originals at the same QP.",
    )
    harness.add_flags(parser)
    parser.add_argument("--quantizer", required=True, help="published learned quantizer that paints the images")
    parser.add_argument(
        "--images", type=numbers.COUNT, default=1000, help="the first so many of the test set (%(default)s)"
    )
    parser.add_argument(
        "--colors", type=numbers.COLORS, nargs="+", default=COLORS, help=f"numbers of colors ({words(COLORS)})"
    )
    parser.add_argument(
        "--qps", type=int, nargs="+", choices=QPS, metavar="QP", default=QPS, help="of HEVC's, 0 to 51 (all)"
    )
    parser.add_argument(
        "--chroma", choices=("444", "422", "420"), default="420", help="subsampling; bpgenc's default is %(default)s"
    )
    return parser


if __name__ == "__main__":
    command(main)
