"""Measurement of the option `fidelity` over a test set: top-1 against similarity to the original, for each K.

    python -m training.evaluate.fidelity --data DATA/cifar10 --classifier cifar10-resnet9 \\
        --quantizer cifar10-resnet9-colorcnn --out docs/results/data/cifar10-fidelity.json

The learned quantizer quantizes the first images of the test set at every fidelity. They are written as indexed PNG
files, read back and classified. Finished rows are kept in a partial file beside --out, so a killed run can
continue.
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

from pydantic import Field

from models.evaluation.compare import Measured, Setting, Summary
from models.evaluation.report_kinds import Kind
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.rgb import ViewGeometry
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.evaluations import EvaluationOptions
from training.data import workers
from training.data.workers import Images, parts
from training.evaluate import harness
from training.loop.distributed import select_device
from training.options import Count, SomeColors

TIMED = 20  # images whose milliseconds are measured


Percent = Annotated[int, Field(ge=0, le=100)]
"""A fidelity in percent."""


class FidelityOptions(EvaluationOptions):
    """Measure top-1, PSNR and bits of the learned quantizer from fidelity 0 to 1."""

    quantizer: str
    """Published learned quantizer that has several structure scales."""
    images: Count = 2000
    """Number of test images, from the first one."""
    colors: SomeColors = (2, 4, 8, 16)
    """Numbers of colors."""
    percents: Annotated[tuple[Percent, ...], Field(min_length=1)] = (0, 5, 10, 20, 35, 50, 70, 100)
    """Fidelities in percent, 0 to 100."""


@dataclass(frozen=True)
class Measurer:
    """Quantization of all images at one fidelity, and measurement in the processes of the pool."""

    images: Images
    view: ViewGeometry
    learned: LearnedQuantizer
    pool: ProcessPoolExecutor

    def __call__(self, setting: Setting) -> Iterable[list[Measured]]:
        """Return the measurements of the parts of the test set in their order."""
        quantizer, pieces = self._at(setting), parts(self.images)
        quantized = (quantizer.quantize_batch(piece, setting.colors or 0) for piece in pieces)
        return self.pool.map(partial(harness.measure_quantized, self.view), pieces, quantized)

    def milliseconds(self, setting: Setting) -> float:
        """Return the mean run time of the quantizer over the first TIMED images."""
        quantizer, images = self._at(setting), self.images[:TIMED]
        started = time.perf_counter()
        for image in images:
            quantizer.quantize(image, setting.colors or 0)
        return 1000 * (time.perf_counter() - started) / len(images)

    def _at(self, setting: Setting) -> LearnedQuantizer:
        return replace(self.learned, fidelity=setting.fidelity or 0.0)


def main(argv: Sequence[str] | None = None) -> list[Summary]:
    """Run the measurement of a command line, print the table and write the JSON file."""
    options = command_line.parse(FidelityOptions, "training.evaluate.fidelity", argv).located()
    registry, device = Registry.open(options.models), select_device(options.device)
    tests = harness.read_test_set(options, registry, device)
    learned = load_quantizer(registry, options.quantizer, device)
    if not learned.supports_fidelity:
        raise SystemExit(f"--quantizer: {options.quantizer} has a single structure scale and does not support fidelity")
    settings = [
        Setting(learned.name, options.quantizer, k, fidelity=percent / 100)
        for k in options.colors
        for percent in options.percents
    ]
    with workers.worker_pool(options.workers) as pool:
        measurer = Measurer(tests.images, tests.whole, learned, pool)
        return harness.evaluate(Kind.FIDELITY, tests, settings, measurer, options, registry)


if __name__ == "__main__":
    command_line.run(main)
