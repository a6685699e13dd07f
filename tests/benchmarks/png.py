"""Bytes and milliseconds of the palette PNG writer beside other writers and optimizers, on photos.

    python -m tests.benchmarks.png --out png.json

The photos ship with scikit-image: Chelsea the cat and the coffee (CC0), the astronaut and the rocket (public domain).
Median cut quantizes each to 1, 2, 4 and 8 bits, and the learned quantizer to two colors. All writers alternate. oxipng
and zopfli start from a PNG of Pillow's fastest level, and the time of Pillow counts. oxipng uses all cores and the
others one, so the benchmark also measures CPU time over all threads. Every file is decoded and compared. The benchmark
needs pyoxipng and zopflipy, which have no wheels for some versions of Python and some processors.
"""

import argparse
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import data

from models.codecs import png
from models.evaluation.report_kinds import Kind
from models.names import ModelKind
from models.palette_image import PaletteImage
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import load_quantizer
from models.zoo.registry import Registry
from tests.benchmarks.reporting import write_report

PHOTOS = ("chelsea", "coffee", "astronaut", "rocket")
SLOW = "zopfli"  # runs in the first turn only

Writer = Callable[[PaletteImage], bytes]


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.png", description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="of each writer but zopfli (%(default)s)")
    parser.add_argument("--step", type=int, default=1, help="every so many rows and columns of a photo (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    command = f"tests.benchmarks.png --turns {args.turns} --step {args.step} --out {args.out}"
    report = write_report(args.out, Kind.PNG, command, {"photos": PHOTOS} | measure(args.turns, args.step))
    print(json.dumps(report, indent=1))
    return report


def measure(turns: int, step: int) -> dict[str, Any]:
    """Measure each quantizer and number of bits over all photos."""
    registry = Registry.open()
    learned = load_quantizer(registry, registry.default(ModelKind.COLORCNN).name, torch.device("cpu"))
    quantizers: list[tuple[Quantizer, int]] = [(CLASSICAL["median_cut"], bits) for bits in (1, 2, 4, 8)]
    photos = [np.ascontiguousarray(getattr(data, name)()[::step, ::step]) for name in PHOTOS]
    rows = []
    for quantizer, bits in [*quantizers, (learned, 1)]:
        tried = [write_all(quantizer.quantize(photo, 1 << bits), turns) for photo in photos]
        rows.append({"method": quantizer.name, "bits": bits} | _row(tried))
    return {"rows": rows}


@dataclass
class Trial:
    """One writer on one image: bytes of the file, and wall-clock and CPU seconds of each turn."""

    size: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)


def write_all(image: PaletteImage, turns: int) -> dict[str, Trial]:
    """Run each writer on `image`; raises RuntimeError when a file decodes to other pixels."""
    tried = {name: Trial() for name in WRITERS}
    for turn in range(turns):
        for name, write in WRITERS.items():
            if name == SLOW and turn:
                continue
            started, cpu_started = time.perf_counter(), time.process_time()
            file = write(image)
            tried[name].cpu_seconds.append(time.process_time() - cpu_started)
            tried[name].seconds.append(time.perf_counter() - started)
            tried[name].size = len(file)
            _check(file, image, name)
    return tried


def _check(file: bytes, image: PaletteImage, name: str) -> None:
    with Image.open(io.BytesIO(file)) as read:
        if not np.array_equal(np.asarray(read.convert("RGB")), image.render()):
            raise RuntimeError(f"{name} changed the picture")


def _row(tried: Sequence[Mapping[str, Trial]]) -> dict[str, Any]:
    """Return sums over all images (of median milliseconds), and the ratios that we publish."""
    row = {name: _sums([each[name] for each in tried]) for name in WRITERS}
    pairs = (("default", "pillow"), ("max", "oxipng"), ("max", "zopfli"))
    ratios = {
        f"{ours}_to_{theirs}": {name: round(row[ours][name] / row[theirs][name], 4) for name in row[ours]}
        for ours, theirs in pairs
    }
    return {name: {of: round(value, 1) for of, value in sums.items()} for name, sums in row.items()} | {
        "ratios": ratios
    }


def _sums(tried: Sequence[Trial]) -> dict[str, float]:
    return {
        "bytes": sum(each.size for each in tried),
        "ms": 1000 * sum(float(np.median(each.seconds)) for each in tried),
        "cpu_ms": 1000 * sum(float(np.median(each.cpu_seconds)) for each in tried),
    }


def _pillow(image: PaletteImage, **options: Any) -> bytes:
    picture = Image.fromarray(image.indices)
    picture.putpalette(image.palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()


def _oxipng(image: PaletteImage) -> bytes:
    oxipng = import_module("oxipng")
    return bytes(oxipng.optimize_from_memory(_pillow(image, compress_level=1), level=2))


def _zopfli(image: PaletteImage) -> bytes:
    optimizer = import_module("zopfli").ZopfliPNG()
    return bytes(optimizer.optimize(_pillow(image, compress_level=1)))


WRITERS: Mapping[str, Writer] = {
    "fast": partial(png.encode, effort="fast"),
    "default": png.encode,
    "max": partial(png.encode, effort="max"),
    "pillow": _pillow,
    "pillow_optimize": partial(_pillow, optimize=True),
    "oxipng": _oxipng,
    SLOW: _zopfli,
}
"""The first three are ours. oxipng runs at level 2, the default of its command line; zopfli at its defaults."""


if __name__ == "__main__":
    main()
