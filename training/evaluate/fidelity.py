"""The option `fidelity` over a test set: how much top-1 it gives up for similarity to the original, at each K.

    python -m training.evaluate.fidelity --data DATA/cifar10 --classifier cifar10-resnet9 \\
        --quantizer cifar10-resnet9-colorcnn --out docs/results/data/cifar10-fidelity.json

The learned quantizer quantizes the first images of the test set at every fidelity. They are written as indexed PNG
files, read back and classified. Finished rows are kept in a partial file beside --out, so a run that was killed
continues.
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from models.evaluation.compare import Measured, Setting, Summary
from models.evaluation.reports import Kind
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.evaluations import FidelityOptions
from training.data import workers
from training.data.workers import Images, parts
from training.evaluate import harness
from training.loop.distributed import select_device

TIMED = 20  # images whose milliseconds are measured


@dataclass(frozen=True)
class Measurer:
    """Quantizes all images at one fidelity and measures them in the processes of the pool."""

    images: Images
    view: int
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
    """Measure as the command line says, print the table and write the JSON file."""
    options = command_line.parse(FidelityOptions, "training.evaluate.fidelity", argv).located()
    registry, device = Registry.open(options.models), select_device(options.device)
    tests = harness.read_test_set(options, registry, device)
    learned = load_quantizer(registry, options.quantizer, device)
    if not learned.supports_fidelity:
        raise SystemExit(f"--quantizer: {options.quantizer} has a single structure scale and supports no fidelity")
    settings = [
        Setting(learned.name, options.quantizer, k, fidelity=percent / 100)
        for k in options.colors
        for percent in options.percents
    ]
    with workers.worker_pool(options.workers) as pool:
        measurer = Measurer(tests.images, tests.recognizer.size, learned, pool)
        return harness.evaluate(Kind.FIDELITY, tests, settings, measurer, options, registry)


if __name__ == "__main__":
    command_line.run(main)
