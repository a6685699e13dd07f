"""Measurement of every quantizer over a whole test set, on the files that a user receives.

    python -m training.evaluate --data DATA/cifar10 --classifier cifar10-resnet9 --quantizer cifar10-resnet9-colorcnn \\
        --out docs/results/data/cifar10.json

Each image is quantized, written as an indexed PNG, read back and classified. The same images go through JPEG and WebP
at falling quality and through truecolor PNG. The command selects nothing: each requested setting has one row, a mean
over all images. Finished rows are kept in a partial file beside --out, so a killed run can continue. Milliseconds
are measured last, one image after the other on one thread of this process, while the pool is idle.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import torch

from models.codecs import jpeg, truecolor, webp
from models.evaluation.compare import Measured, Setting, Summary, measure, measure_palette
from models.evaluation.reports import Kind
from models.names import ONE_PASS, TRUECOLOR
from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.quantizers.learned.published import PublishedQuantizer, load_published
from models.rgb import ViewGeometry
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.evaluations import EvaluateOptions
from training.data import workers
from training.data.workers import Images, parts
from training.evaluate import harness
from training.loop.distributed import select_device

JPEG, WEBP = "jpeg", "webp"
TIMED = 200  # images whose milliseconds are measured


@dataclass(frozen=True)
class Measurer:
    """Measurement of all images of a test set in one setting, in the processes of the pool.

    networks: quantizers by method and checkpoint. They quantize in this process, on their device, while the pool
    measures images that they have quantized.
    """

    images: Images
    view: ViewGeometry
    networks: Mapping[tuple[str, str], Quantizer]
    pool: ProcessPoolExecutor

    def __call__(self, setting: Setting) -> Iterable[list[Measured]]:
        """Return the measurements of the parts of the test set in their order."""
        pieces = parts(self.images)
        if setting.model is None:
            return self.pool.map(partial(_without_network, setting, self.view), pieces)
        network = self.networks[setting.method, setting.model]
        quantized = (_quantize(network, setting.colors or 0, piece) for piece in pieces)
        return self.pool.map(partial(harness.measure_quantized, self.view), pieces, quantized)

    def milliseconds(self, setting: Setting) -> float:
        """Return the mean run time of the quantizer or encoder over the first TIMED images, after one warm-up image."""
        images = self.images[:TIMED]
        self._run(setting, images[0])
        started = time.perf_counter()
        for image in images:
            self._run(setting, image)
        return 1000 * (time.perf_counter() - started) / len(images)

    def _run(self, setting: Setting, pixels: Images) -> None:
        if setting.colors is None:
            _encode(setting, pixels)
        else:
            method, model = setting.method, setting.model
            quantizer = self.networks[method, model] if model else CLASSICAL[method]
            quantizer.quantize(pixels, setting.colors)


def main(argv: Sequence[str] | None = None) -> list[Summary]:
    """Run the measurement of a command line, print the table and write the JSON file."""
    options = command_line.parse(EvaluateOptions, "training.evaluate", argv).located()
    registry, device = Registry.open(options.models), select_device(options.device)
    tests = harness.read_test_set(options, registry, device)
    networks = _networks(options, registry, device)
    settings = _settings(options, registry, networks)
    with workers.worker_pool(options.workers) as pool:
        measurer = Measurer(tests.images, tests.whole, networks, pool)
        return harness.evaluate(Kind.EVALUATION, tests, settings, measurer, options, registry)


def _networks(options: EvaluateOptions, registry: Registry, device: torch.device) -> dict[tuple[str, str], Quantizer]:
    """Return the quantizers of the options that have a checkpoint, the learned one first, by method and checkpoint."""
    networks: dict[tuple[str, str], Quantizer] = {}
    if options.quantizer:
        learned = load_quantizer(registry, options.quantizer, device)
        has_search = learned.supports_fidelity  # both take several structure scales
        for method in options.ways or ((learned.name, ONE_PASS) if has_search else (learned.name,)):
            networks[method, options.quantizer] = learned.for_method(method)
    for name in options.published:
        networks[PublishedQuantizer.name, name] = load_published(registry, name, device)
    return networks


def _quantize(network: Quantizer, colors: int, images: Images) -> list[PaletteImage]:
    if isinstance(network, LearnedQuantizer):
        return network.quantize_batch(images, colors)
    return [network.quantize(image, colors) for image in images]


def _without_network(setting: Setting, view: ViewGeometry, images: Images) -> list[Measured]:
    return [_measure_one(setting, view, image) for image in images]


def _measure_one(setting: Setting, view: ViewGeometry, pixels: Images) -> Measured:
    if setting.colors is not None:
        return measure_palette(pixels, CLASSICAL[setting.method].quantize(pixels, setting.colors), view=view)
    return measure(pixels, *_encode(setting, pixels), view=view)


def _encode(setting: Setting, pixels: Images) -> tuple[bytes, int]:
    """Return the file of a codec without a palette, and its number of fixed bytes."""
    if setting.method == TRUECOLOR:
        file = truecolor.encode(pixels)
        return file, truecolor.fixed_bytes(file)
    codec = {JPEG: jpeg, WEBP: webp}[setting.method]
    file = codec.encode(pixels, setting.quality)
    return file, codec.fixed_bytes(file)


def _settings(
    options: EvaluateOptions, registry: Registry, networks: Mapping[tuple[str, str], Quantizer]
) -> list[Setting]:
    palettes = []
    for method, model in [*networks, *((name, None) for name in options.methods)]:
        only = registry.entry(model).colors if model and method == PublishedQuantizer.name else None
        palettes += [Setting(method, model, colors=k) for k in (only[:1] if only else options.colors)]
    lossy = [Setting(codec, quality=quality) for codec in (JPEG, WEBP) for quality in options.qualities]
    return [*palettes, *lossy, Setting(TRUECOLOR)]


if __name__ == "__main__":
    command_line.run(main)
