"""Recognition in a budget of bytes: what each way to store an image keeps in a file of, for instance, 255 bytes.

    python -m training.evaluate.bytes --data DATA/cifar10 --classifier cifar10-resnet9 --readers cifar10-alexnet \\
        --quantizer cifar10-resnet9-colorcnn --out docs/results/data/cifar10-bytes-held-out.json

255 bytes are the largest payload of a LoRa packet. Whole files count, with headers. Each image chooses its own setting:

    palettes   the largest of --colors whose file fits; "packed-smoothed" smooths the fewest colors where none fits
    codecs     the highest quality, or the lowest QP of BPG (4:2:0), whose file fits, found by bisection

The choice looks at sizes alone. No classifier and no label takes part in it. An image without a file that fits counts
as not recognized. The held-out part of the training set is measured unless --split test is given.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import chain
from typing import Literal, TypeVar

import numpy as np
import torch

from models.codecs import bpg, packed, png
from models.decoding.decode import decode
from models.evaluation.report_kinds import Kind, head
from models.evaluation.report_rows import BytesRow
from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.quantizers.smoothing import smoothed
from models.recognizer import Recognizer, load_recognizer
from models.rgb import Pixels, ViewGeometry
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.evaluations import EvaluationOptions, LearnedMethod
from training.cli.options import ClassicalMethod
from training.data import workers
from training.data.datasets import LabeledImages, load
from training.data.workers import Images, parts
from training.evaluate import still_codecs
from training.evaluate.harness import write_report
from training.extras import rich
from training.loop.distributed import select_device
from training.loop.provenance import describe
from training.options import Count, SomeColors

Container = Literal["packed", "packed-smoothed", "png"]
Codec = Literal["bpg", "webp", "avif", "jxl", "jpeg"]

_CONTAINERS: Mapping[str, Callable[[PaletteImage], bytes]] = {
    "packed": packed.encode,
    "packed-smoothed": packed.encode,
    "png": partial(png.encode, effort="max"),
}
_QPS = range(51, -1, -1)  # from the smallest file to the largest, as qualities are
_QUALITIES = range(1, 101)
_HELD_OUT = "held-out part of train"

Step = TypeVar("Step")


class BytesOptions(EvaluationOptions):
    """Measure what classifiers recognize in files of at most so many bytes."""

    quantizer: str
    """Published learned quantizer."""
    budget: Count = 255
    """Largest number of bytes of a file."""
    readers: tuple[str, ...] = ()
    """Further published classifiers that read the files, beside --classifier."""
    ways: tuple[LearnedMethod, ...] = ("colorcnn_one_pass", "colorcnn")
    """Methods of the learned quantizer."""
    methods: tuple[ClassicalMethod, ...] = ("kmeans",)
    """Classical quantizers."""
    containers: tuple[Container, ...] = ("packed", "png")
    """Files of palette images."""
    codecs: tuple[Codec, ...] = ("bpg", "webp", "avif", "jxl", "jpeg")
    """Codecs without a palette; JPEG XL is left out where its package is missing."""
    colors: SomeColors = (2, 3, 4, 6, 8)
    """Numbers of colors to choose from."""
    split: Literal["held-out", "test"] = "held-out"
    """Images to measure: those held out of the training set for choices, or the test set."""
    held_out: Count | None = None
    """Size of the held-out part in the training of the networks."""
    images: Count | None = None
    """Number of images, from the first one; all by default."""


@dataclass(frozen=True)
class Chosen:
    """The file of one image.

    pixels: (H, W, 3) uint8 sRGB, as a decoder shows them. size: in bytes. setting: number of colors, quality or QP.
    """

    pixels: Pixels
    size: int
    setting: int


@dataclass(frozen=True)
class Readers:
    """Classifiers by name, the own one first, and the true classes of all images, (N,)."""

    recognizers: Mapping[str, Recognizer]
    truth: Sequence[int]

    def top1(self, pictures: Sequence[Pixels | None]) -> dict[str, float]:
        """Return the share of images that each classifier recognizes, 0 to 1; None counts as not recognized."""
        numbers = [number for number, picture in enumerate(pictures) if picture is not None]
        shown = [picture for picture in pictures if picture is not None]
        right = dict.fromkeys(self.recognizers, 0)
        for part in parts(np.arange(len(shown))) if shown else ():
            for name, recognizer in self.recognizers.items():
                view = ViewGeometry.of(recognizer.size, None, None)  # of a dataset: all of the image, whatever the crop
                found = recognizer.predict_batch(np.stack([view.view(shown[at]) for at in part]))
                pairs = zip(part, found, strict=True)
                right[name] += sum(each.index == self.truth[numbers[at]] for at, each in pairs)
        return {name: count / len(pictures) for name, count in right.items()}


def main(argv: Sequence[str] | None = None) -> list[BytesRow]:
    """Run the measurement of a command line and write the JSON file."""
    options = command_line.parse(BytesOptions, "training.evaluate.bytes", argv).located()
    registry, device = Registry.open(options.models), select_device(options.device)
    names = list(dict.fromkeys((options.classifier, *options.readers)))
    recognizers = {name: load_recognizer(registry, name, device) for name in names}
    data = _images(options, recognizers[options.classifier])
    readers = Readers(recognizers, data.labels.tolist())
    images = data.images.permute(0, 2, 3, 1).numpy()
    originals = readers.top1(list(images))
    with workers.worker_pool(options.workers) as pool:
        rows = [
            *_palettes(options, registry, device, images, readers, pool),
            *(_codec(codec, options, images, readers, pool) for codec in _available(options.codecs)),
        ]
    used = [registry.entry(name) for name in (*names, options.quantizer)]
    described = {
        "dataset": options.dataset,
        "split": "test" if options.split == "test" else _HELD_OUT,
        "quantizer": options.quantizer,
        "images": len(images),
        "classifier": options.classifier,
        "sha256": {entry.name: entry.sha256 for entry in used},
        "top1_original": originals[options.classifier],
        "budget": options.budget,
        "originals": originals,
    }
    write_report(options.out, head(Kind.BYTES) | described | describe() | described, rows)
    return rows


def _images(options: BytesOptions, recognizer: Recognizer) -> LabeledImages:
    if options.split == "test":
        data = load(options.folder, "test", size=recognizer.size)
    else:
        _, data = load(options.folder, "train", size=recognizer.size).hold_out(options.held_out)
    data.require_classes(recognizer.classes)
    return data.select(torch.arange(len(data))[: options.images])


def _palettes(
    options: BytesOptions, registry: Registry, device: torch.device, images: Images, readers: Readers, pool: Executor
) -> Iterable[BytesRow]:
    learned = load_quantizer(registry, options.quantizer, device)
    quantizers: dict[str, Quantizer] = {method: learned.for_method(method) for method in options.ways}
    quantizers |= {method: CLASSICAL[method] for method in options.methods}
    for method, quantizer in quantizers.items():
        model = options.quantizer if method in options.ways else None
        chosen = _largest_palettes(options, images, quantizer, pool, _label(method))
        for container, files in chosen.items():
            yield _row(method, model, container, files, readers)


def _largest_palettes(
    options: BytesOptions, images: Images, quantizer: Quantizer, pool: Executor, label: str
) -> dict[str, list[Chosen | None]]:
    """Return the file with most colors that fits of each image, by container; None where two colors do not fit."""
    chosen: dict[str, list[Chosen | None]] = {name: [None] * len(images) for name in options.containers}
    for colors in sorted(options.colors, reverse=True):
        missing = {name: {at for at, file in enumerate(files) if file is None} for name, files in chosen.items()}
        numbers = np.array(sorted(set[int]().union(*missing.values())), np.intp)
        for part in _tracked(parts(numbers) if numbers.size else [], f"{label}, K = {colors}"):
            quantized = _quantized(quantizer, images[part], colors)
            for name, files in chosen.items():
                ours = [(at, image) for at, image in zip(part, quantized, strict=True) if at in missing[name]]
                smooths = name == "packed-smoothed" and colors == min(options.colors)
                work = partial(_file_of_palette, _CONTAINERS[name], options.budget, smooths)
                found = pool.map(work, [image for _, image in ours], [images[at] for at, _ in ours], chunksize=32)
                for (at, _), file in zip(ours, found, strict=True):
                    files[at] = file
    return chosen


def _quantized(quantizer: Quantizer, images: Images, colors: int) -> list[PaletteImage]:
    if isinstance(quantizer, LearnedQuantizer):
        return quantizer.quantize_batch(images, colors)
    return [quantizer.quantize(image, colors) for image in images]


def _file_of_palette(
    encode: Callable[[PaletteImage], bytes], budget: int, smooths: bool, image: PaletteImage, pixels: Pixels
) -> Chosen | None:
    """Return the file of a palette image as a decoder shows it, or None where it has too many bytes.

    smooths: whether to smooth the index map until the file fits. pixels: what the image was quantized from.
    """
    for version in chain([image], smoothed(image, pixels) if smooths else ()):
        file = encode(version)
        if len(file) <= budget:
            return Chosen(_shown(file), len(file), version.colors)
    return None


def _codec(codec: str, options: BytesOptions, images: Images, readers: Readers, pool: Executor) -> BytesRow:
    work = partial(_best_quality, codec, options.budget)
    files = list(_tracked(pool.map(work, images, chunksize=32), _label(codec), len(images)))
    return _row(codec, None, codec, files, readers)


def _best_quality(codec: str, budget: int, pixels: Pixels) -> Chosen | None:
    """Return the best file of a codec that fits, by bisection over its settings; None where the smallest does not."""
    settings = _QPS if codec == "bpg" else _QUALITIES
    best, low, high = None, 0, len(settings)  # settings[low - 1] fits, settings[high] does not
    at = 0  # the smallest file first: most JPEG files end here
    while low < high:
        setting = settings[at]
        file = (
            bpg.encode(pixels, qp=setting, chroma="420")
            if codec == "bpg"
            else still_codecs.encode(codec, pixels, setting)
        )
        if len(file) <= budget:
            best, low = (file, setting), at + 1
        else:
            high = at
        at = (low + high) // 2
    if best is None:
        return None
    file, setting = best
    shown = still_codecs.decode(file) if codec in still_codecs.CODECS else _shown(file)
    return Chosen(shown, len(file), setting)


def _shown(file: bytes) -> Pixels:
    return decode(file).pixels


def _available(codecs: Sequence[Codec]) -> list[Codec]:
    """Return the codecs whose packages are installed, and print the reason for each that is left out."""
    if "jxl" in codecs and find_spec("pillow_jxl") is None:
        rich.console.Console().print("JPEG XL is left out: it needs the package pillow-jxl-plugin")
        return [codec for codec in codecs if codec != "jxl"]
    return list(codecs)


def _row(method: str, model: str | None, container: str, files: Sequence[Chosen | None], readers: Readers) -> BytesRow:
    fitting = [file for file in files if file is not None]
    return BytesRow(
        method=method,
        model=model,
        container=container,
        images=len(files),
        fits=len(fitting) / len(files),
        bytes=float(np.mean([file.size for file in fitting])) if fitting else None,
        setting=float(np.mean([file.setting for file in fitting])) if fitting else None,
        top1=readers.top1([None if file is None else file.pixels for file in files]),
    )


def _label(method: str) -> str:
    return method.replace("_", " ")


def _tracked(steps: Iterable[Step], label: str, total: int | None = None) -> Iterable[Step]:
    return rich.progress.track(steps, label, total, transient=True)


if __name__ == "__main__":
    command_line.run(main)
