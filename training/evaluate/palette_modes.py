"""Comparison of BPG files that preserve the index map, for each coding, with the indexed PNG.

    python -m training.evaluate.palette_modes --data DATA/cifar10 --quantizer cifar10-resnet9-colorcnn \\
        --photos tests/photos/cat.jpg --out docs/results/data/cifar10-palette-modes.json

The learned quantizer and k-means quantize images of the held-out part of the training set, at the network's size, and
whole photos. Each quantized image is written as PNG and as BPG: by each coding alone, as an index plane, and in the
mode "auto". A coding uses the highest QP that preserves the index map. If no QP does, the
coding is lossless. No image is classified, and the test set is not read.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from itertools import product
from pathlib import Path

import numpy as np

from models.codecs import bpg, png
from models.codecs.bpg import codec
from models.codecs.bpg.codec import Coding
from models.codecs.bpg.palette_modes import coarsest_exact
from models.decoding.decode import decode
from models.evaluation.report_kinds import Kind, head
from models.evaluation.report_rows import PaletteModeRow
from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import load_quantizer
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.evaluations import OutOptions
from training.data import workers
from training.data.datasets import load
from training.data.workers import Images
from training.evaluate.harness import write_report
from training.loop.distributed import select_device
from training.loop.provenance import describe
from training.options import Count, SomeColors

CODINGS: Mapping[str, Coding] = {
    "RGB": Coding(color_space="rgb"),
    "4:4:4": Coding(),
    "4:4:4, all transformed": Coding(transform_skip=False),
    "4:2:2": Coding(chroma="422"),
    "4:2:0": Coding(chroma="420"),
}
_LOSSLESS = Coding(lossless=True, color_space="rgb")


class PaletteModesOptions(OutOptions):
    """Measure the bytes of few-color images as BPG that keeps the index map, by coding, against PNG."""

    quantizer: str
    """Published learned quantizer."""
    images: Count = 100
    """Number of held-out images."""
    held_out: Count | None = None
    """Size of the held-out part of train in the quantizer's training."""
    photos: tuple[Path, ...] = ()
    """Image files that are quantized at their native size."""
    colors: SomeColors = (2, 4, 8)
    """Numbers of colors."""


def main(argv: Sequence[str] | None = None) -> list[PaletteModeRow]:
    """Run the measurement of a command line and write the JSON file."""
    options = command_line.parse(PaletteModesOptions, "training.evaluate.palette_modes", argv).located()
    learned = load_quantizer(Registry.open(options.models), options.quantizer, select_device(options.device))
    sources = _sources(options, learned.network.config.encoder.size)
    cases = product(sources.items(), (learned, CLASSICAL["kmeans"]), options.colors)
    with workers.worker_pool(options.workers) as pool:
        rows = [row for (name, images), method, k in cases for row in _rows(name, method, images, k, pool)]
    data = {"dataset": options.dataset, "split": "held-out part of train", "quantizer": options.quantizer}
    write_report(options.out, head(Kind.PALETTE_MODES) | data | describe(), rows)
    return rows


def _sources(options: PaletteModesOptions, size: int) -> Mapping[str, Sequence[Images]]:
    """Return the images, each (H, W, 3) uint8 sRGB, by the name of their dataset or photo."""
    _, held_out = load(options.folder, "train", size=size).hold_out(options.held_out)
    small = held_out.images[: options.images].permute(0, 2, 3, 1).numpy()
    return {options.dataset or "": list(small)} | {
        file.name: [decode(file.read_bytes()).pixels] for file in options.photos
    }


def _rows(
    source: str, quantizer: Quantizer, images: Sequence[Images], colors: int, pool: Executor
) -> Iterator[PaletteModeRow]:
    tried = list(pool.map(_sizes, [quantizer.quantize(image, colors) for image in images]))
    for coding in tried[0]:
        sizes, exact = zip(*(files[coding] for files in tried), strict=True)
        yield PaletteModeRow(
            source=source,
            method=quantizer.name,
            colors=colors,
            coding=coding,
            images=len(images),
            bytes=float(np.mean(sizes)),
            exact=float(np.mean(exact)),
        )


def _sizes(image: PaletteImage) -> dict[str, tuple[int, bool]]:
    """Return the bytes of the file for each coding, and whether some QP preserves the index map."""
    lossless = len(codec.encode(image.render(), _LOSSLESS))
    coarsest = {name: coarsest_exact(image, coding) for name, coding in CODINGS.items()}
    sizes = {name: (len(best.file) if best else lossless, best is not None) for name, best in coarsest.items()}
    if image.colors == 2:
        sizes["index plane"] = len(bpg.encode(image, mode="index")), True
    sizes["auto"] = len(bpg.encode(image, mode="auto")), True
    return {"PNG": (len(png.encode(image, effort="max")), True), "RGB without loss": (lossless, True)} | sizes


if __name__ == "__main__":
    command_line.run(main)
