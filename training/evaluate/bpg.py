"""Comparison of BPG for few-color images and for originals at the same QP: bits, PSNR and top-1.

    python -m training.evaluate.bpg --data DATA/cifar10 --classifier cifar10-resnet9 \\
        --quantizer cifar10-resnet9-colorcnn --out docs/results/data/cifar10-bpg.json

The command measures figure 7 of the reproduction study. The learned quantizer quantizes the first images of the test
set once for each K. The quantized images and the originals are encoded as BPG at every QP. PSNR always compares with
the original. Finished rows are kept in a partial file beside --out, so a killed run can continue.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from models.codecs import bpg
from models.codecs.bpg.codec import Chroma
from models.evaluation.compare import Measured, Setting, Summary, measure
from models.evaluation.report_kinds import Kind
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.rgb import ViewGeometry
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.evaluations import EvaluationOptions, Qp
from training.data import workers
from training.data.workers import Images, parts
from training.evaluate import harness
from training.loop.distributed import select_device
from training.options import Count, SomeColors

TIMED = 20  # images whose milliseconds are measured
ORIGINAL = "bpg"  # the method in rows of images that are not quantized


class BpgOptions(EvaluationOptions):
    """Compare BPG of few-color images with BPG of the originals at the same QP."""

    quantizer: str
    """Published learned quantizer."""
    images: Count = 1000
    """Number of test images, from the first one."""
    colors: SomeColors = (2, 4, 8, 16, 32)
    """Numbers of colors."""
    qps: Annotated[tuple[Qp, ...], Field(min_length=1)] = tuple(range(52))
    """QPs of HEVC, 0 to 51."""
    chroma: Literal["444", "422", "420"] = "420"
    """Chroma subsampling; bpgenc has the same default."""


@dataclass(frozen=True)
class Measurer:
    """Encoding of all images as BPG, and measurement of the files in the processes of the pool.

    sources: images to encode, (N, s, s, 3) uint8 sRGB, by number of colors; None is the key of the originals.
    """

    sources: Mapping[int | None, Images]
    view: ViewGeometry
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
    """Run the measurement of a command line, print the table and write the JSON file."""
    options = command_line.parse(BpgOptions, "training.evaluate.bpg", argv).located()
    registry, device = Registry.open(options.models), select_device(options.device)
    tests = harness.read_test_set(options, registry, device)
    learned = load_quantizer(registry, options.quantizer, device)
    sources = {None: tests.images} | {colors: _quantize(learned, tests.images, colors) for colors in options.colors}
    with workers.worker_pool(options.workers) as pool:
        measurer = Measurer(sources, tests.whole, options.chroma, pool)
        codec = f"BPG {':'.join(options.chroma)}"
        return harness.evaluate(Kind.BPG, tests, _settings(options), measurer, options, registry, codec=codec)


def _quantize(learned: LearnedQuantizer, images: Images, colors: int) -> Images:
    return np.stack([image.render() for part in parts(images) for image in learned.quantize_batch(part, colors)])


def _measure_part(view: ViewGeometry, chroma: Chroma, qp: int, originals: Images, sources: Images) -> list[Measured]:
    return [_measure(view, chroma, qp, *pair) for pair in zip(originals, sources, strict=True)]


def _measure(view: ViewGeometry, chroma: Chroma, qp: int, original: Images, source: Images) -> Measured:
    file = bpg.encode(source, qp=qp, chroma=chroma)
    return measure(original, file, bpg.fixed_bytes(file), view=view)


def _settings(options: BpgOptions) -> list[Setting]:
    sources = [(ORIGINAL, None, None), *((LearnedQuantizer.name, options.quantizer, k) for k in options.colors)]
    return [Setting(*source, qp=qp) for source in sources for qp in options.qps]


if __name__ == "__main__":
    command_line.run(main)
