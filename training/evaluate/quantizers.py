"""Quantizers and codecs that `training.evaluate` measures, and the measurement of images by them."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch

from models.codecs import jpeg, truecolor, webp
from models.evaluation.compare import Measured, Setting, measure, measure_palette
from models.names import ONE_PASS, TRUECOLOR
from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.quantizers.learned.published import PublishedQuantizer, load_published
from models.rgb import ViewGeometry
from models.zoo.registry import Registry
from training.cli.evaluations import EvaluateOptions
from training.data.workers import Images, parts
from training.engines.quantized_blocks import Map
from training.evaluate import harness

JPEG, WEBP = "jpeg", "webp"
TIMED = 200  # images whose milliseconds are measured


@dataclass(frozen=True)
class Measurer:
    """Measurement of all images of a test set in one setting.

    networks: quantizers by method and checkpoint. They quantize in this process, on their device, while
    others measure images that they have quantized. run: method `map` of a pool, or the function `map`, which works in
    this process.
    """

    images: Images
    view: ViewGeometry
    networks: Mapping[tuple[str, str], Quantizer]
    run: Map

    def __call__(self, setting: Setting) -> Iterable[list[Measured]]:
        """Return the measurements of the parts of the test set in their order."""
        pieces = parts(self.images)
        if setting.model is None:
            return self.run(partial(_without_network, setting, self.view), pieces)
        network = self.networks[setting.method, setting.model]
        quantized = (_quantize(network, setting.colors or 0, piece) for piece in pieces)
        return self.run(partial(harness.measure_quantized, self.view), pieces, quantized)

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


@dataclass(frozen=True)
class SharedMeasurer:
    """Measurer that keeps what it measured for further classifiers; memory holds every view, 3 s^2 bytes each."""

    measurer: Measurer
    _measured: dict[Setting, list[list[Measured]]] = field(default_factory=dict, init=False)
    _milliseconds: dict[Setting, float] = field(default_factory=dict, init=False)

    def __call__(self, setting: Setting) -> Iterable[list[Measured]]:
        """See `Measurer`."""
        if setting not in self._measured:
            self._measured[setting] = list(self.measurer(setting))
        return self._measured[setting]

    def milliseconds(self, setting: Setting) -> float:
        """See `Measurer`."""
        if setting not in self._milliseconds:
            self._milliseconds[setting] = self.measurer.milliseconds(setting)
        return self._milliseconds[setting]


def networks_of(options: EvaluateOptions, registry: Registry, device: torch.device) -> dict[tuple[str, str], Quantizer]:
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


def settings_of(
    options: EvaluateOptions, registry: Registry, networks: Mapping[tuple[str, str], Quantizer]
) -> list[Setting]:
    """Return what the options measure, in the order of the rows of the report."""
    palettes = []
    for method, model in [*networks, *((name, None) for name in options.methods)]:
        only = registry.entry(model).colors if model and method == PublishedQuantizer.name else None
        palettes += [Setting(method, model, colors=k) for k in (only[:1] if only else options.colors)]
    lossy = [Setting(codec, quality=quality) for codec in (JPEG, WEBP) for quality in options.qualities]
    return [*palettes, *lossy, Setting(TRUECOLOR)]
