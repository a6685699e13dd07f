"""Every quantizer over a whole test set, as a user gets it: painted, written as an indexed PNG, read back, classified.

    python -m training.evaluate --data DATA/cifar10 --classifier cifar10-resnet9 --quantizer cifar10-colorcnn \\
        --out results/cifar10.json

Beside the palettes of each method at each K the same images go through JPEG and WebP at falling quality and through
truecolour PNG. Nothing is selected here: everything that is asked for gets its row, a mean over all images. What is
done is kept in a partial file beside --out, so a run that was killed goes on where it was.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from threadpoolctl import threadpool_limits

from models.codecs import jpeg, truecolor, webp
from models.compare import Measured, Row, Sample, Setting, Summary, make_row, measure, measure_palette, summarize
from models.palette_image import PaletteImage
from models.quantizers.classical import CLASSICAL
from models.quantizers.learned import LearnedQuantizer, load_quantizer
from models.recognizer import Recognizer, load_recognizer
from models.registry import Registry
from training import run
from training.datasets import DatasetError, LabelledImages, load

BATCH = 250
COLORS = (2, 4, 8, 16, 32, 64, 128, 256)
QUALITIES = (1, 5, 10, 20, 30, 50, 70, 85, 95)
JPEG, WEBP, TRUECOLOR = "jpeg", "webp", "png"

Images = NDArray[np.uint8]  # (B, s, s, 3) sRGB


@dataclass(frozen=True)
class TestSet:
    """The images, (N, s, s, 3) uint8, as samples that know what the classifier sees in them."""

    images: Images
    samples: Sequence[Sample]
    recognizer: Recognizer

    @classmethod
    def prepare(cls, data: LabelledImages, recognizer: Recognizer) -> "TestSet":
        """Classify the originals; DatasetError if the classifier knows other classes."""
        data.require_classes(recognizer.classes)
        images = data.images.permute(0, 2, 3, 1).numpy()
        seen = [prediction for part in _parts(images) for prediction in recognizer.predict_batch(part)]
        rows = enumerate(zip(images, seen, data.labels.tolist(), strict=True))
        return cls(images, [Sample(str(i), image, before, truth) for i, (image, before, truth) in rows], recognizer)

    @property
    def top1(self) -> float:
        """Share of the originals whose label the classifier gives."""
        return float(np.mean([sample.before.index == sample.truth for sample in self.samples]))

    def summary(self, setting: Setting, measured: Iterable[list[Measured]]) -> Summary:
        """Classify what was read back, part by part, and average over all images."""
        rows: list[Row] = []
        for part in track(measured, _title(setting), total=len(_parts(self.images)), transient=True):
            seen = self.recognizer.predict_batch(np.stack([one.view for one in part]))
            samples = self.samples[len(rows) : len(rows) + len(part)]
            rows += map(make_row, samples, repeat(setting), part, seen)
        [summary] = summarize(rows)
        return summary


@dataclass(frozen=True)
class Measurer:
    """Puts all images of a test set through one setting, in the processes of the pool.

    The learned quantizer paints in this process, on its device, while the pool measures what it has painted.
    """

    images: Images
    view: int
    learned: LearnedQuantizer | None
    pool: ProcessPoolExecutor

    def __call__(self, setting: Setting) -> Iterable[list[Measured]]:
        """The parts of the test set in their order."""
        parts = _parts(self.images)
        if setting.model is None:
            return self.pool.map(partial(_without_network, setting, self.view), parts)
        return self.pool.map(
            partial(_measure_painted, self.view), parts, (self._paint(setting, part) for part in parts)
        )

    def _paint(self, setting: Setting, images: Images) -> tuple[list[PaletteImage], float]:
        """Palette images and the milliseconds that each of them took."""
        if self.learned is None or setting.colors is None:
            raise ValueError(f"{setting} needs a network and a number of colours")
        started = time.perf_counter()
        painted = self.learned.quantize_batch(images, setting.colors)
        return painted, 1000 * (time.perf_counter() - started) / len(images)


def main(argv: Sequence[str] | None = None) -> list[Summary]:
    """Parse flags, measure, print the table and write the JSON file."""
    args = _parser().parse_args(argv)
    registry, device = Registry.open(args.models), run.choose_device(args.device)
    recognizer = load_recognizer(registry, args.classifier, device)
    tests = TestSet.prepare(load(run.require_data(args), "test", size=recognizer.size), recognizer)
    learned = load_quantizer(registry, args.quantizer, device) if args.quantizer else None
    header = _header(args, registry, tests)
    kept = KeptRows(args.out.with_name(f"{args.out.name}.partial"), header)
    with _pool(args.workers) as pool:
        measurer = Measurer(tests.images, recognizer.size, learned, pool)
        rows = [kept.find(s) or kept.add(tests.summary(s, measurer(s))) for s in _settings(args)]
    args.out.write_text(json.dumps(header | run.describe() | {"rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    kept.file.unlink()
    _print(tests.top1, rows)
    return rows


class KeptRows:
    """The rows that an evaluation has so far, one JSON object a line after its header.

    Raises DatasetError where the file holds rows of an evaluation with another header.
    """

    def __init__(self, file: Path, header: Mapping[str, Any]) -> None:
        self.file = file
        self._rows: dict[Setting, Summary] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        whole, _, _ = (file.read_text() if file.exists() else "").rpartition("\n")  # the last line may be cut off
        first, *rows = map(json.loads, whole.splitlines() or [json.dumps(header)])
        if first != header:
            raise DatasetError(f"{file} was begun with other data or models: delete it to begin anew")
        file.write_text("")
        self._append(header)
        for row in rows:
            self.add(Summary(**row))

    def find(self, setting: Setting) -> Summary | None:
        """The row of that setting, if it is there."""
        return self._rows.get(setting)

    def add(self, summary: Summary) -> Summary:
        """Keep a new row."""
        self._rows[summary.setting] = summary
        self._append(asdict(summary))
        return summary

    def _append(self, values: Mapping[str, Any]) -> None:
        with self.file.open("a") as file:
            file.write(json.dumps(values) + "\n")


def _pool(workers: int | None) -> ProcessPoolExecutor:
    """Not forked: torch's threads would not live on in the children. One thread each: they share the cores."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_use_one_thread)


def _use_one_thread() -> None:
    threadpool_limits(1)


def _without_network(setting: Setting, view: int, images: Images) -> list[Measured]:
    return [_measure_one(setting, view, image) for image in images]


def _measure_one(setting: Setting, view: int, pixels: Images) -> Measured:
    started = time.perf_counter()
    if setting.colors is not None:
        painted = CLASSICAL[setting.method].quantize(pixels, setting.colors)
        return measure_palette(pixels, painted, view=view, milliseconds=1000 * (time.perf_counter() - started))
    file, fixed_size = _encode(setting, pixels)
    return measure(pixels, file, fixed_size, view=view, milliseconds=1000 * (time.perf_counter() - started))


def _encode(setting: Setting, pixels: Images) -> tuple[bytes, int]:
    """The file of one of the codecs that palettes are compared with, and its fixed bytes."""
    if setting.method == TRUECOLOR:
        file = truecolor.encode(pixels)
        return file, truecolor.fixed_bytes(file)
    codec = {JPEG: jpeg, WEBP: webp}[setting.method]
    file = codec.encode(pixels, setting.quality)
    return file, codec.fixed_bytes(file)


def _measure_painted(view: int, images: Images, painted: tuple[list[PaletteImage], float]) -> list[Measured]:
    palettes, milliseconds = painted
    pairs = zip(images, palettes, strict=True)
    return [measure_palette(pixels, image, view=view, milliseconds=milliseconds) for pixels, image in pairs]


def _parts(images: Images) -> list[Images]:
    return np.array_split(images, -(-len(images) // BATCH))


def _settings(args: argparse.Namespace) -> list[Setting]:
    painters = [(LearnedQuantizer.name, args.quantizer)] if args.quantizer else []
    painters += [(name, None) for name in args.methods]
    palettes = [Setting(method, model, colors=k) for method, model in painters for k in args.colors]
    lossy = [Setting(codec, quality=quality) for codec in (JPEG, WEBP) for quality in args.qualities]
    return [*palettes, *lossy, Setting(TRUECOLOR)]


def _header(args: argparse.Namespace, registry: Registry, tests: TestSet) -> dict[str, Any]:
    """What an evaluation is of. With equal headers, equal settings have equal rows, but for their milliseconds."""
    entries = [registry.entry(name) for name in (args.classifier, args.quantizer) if name]
    return {
        "dataset": args.dataset,
        "split": "test",
        "images": len(tests.samples),
        "classifier": args.classifier,
        "quantizer": args.quantizer,
        "sha256": {entry.name: entry.sha256 for entry in entries},
        "seeds": {entry.name: registry.provenance(entry.name).seed for entry in entries},
        "top1_original": tests.top1,
    }


def _title(setting: Setting) -> str:
    levels = [(setting.colors, "colours"), (setting.quality, "quality")]
    return ", ".join([setting.method, *(f"{unit} {level}" for level, unit in levels if level)])


def _print(original: float, rows: Sequence[Summary]) -> None:
    table = Table(title=f"originals: top-1 {100 * original:.2f} %")
    for heading in ("setting", "top-1 %", "kept %", "bits per pixel", "PSNR dB", "SSIM"):
        table.add_column(heading, justify="left" if heading == "setting" else "right")
    for row in rows:
        measured = (100 * (row.top1 or 0), 100 * row.kept, row.bits_per_pixel, row.psnr, row.ssim)
        digits = (2, 2, 3, 2, 3)
        cells = ("-" if value is None else f"{value:.{d}f}" for value, d in zip(measured, digits, strict=True))
        table.add_row(_title(row.setting), *cells)
    Console().print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description="Every quantizer over a whole test set: bytes, PSNR, SSIM and a frozen classifier's top-1.",
    )
    run.add_data_flags(parser)
    run.add_models_flag(parser)
    parser.add_argument("--classifier", required=True, help="published classifier that looks at the images")
    parser.add_argument("--quantizer", help="published learned quantizer to measure (default: none)")
    parser.add_argument(
        "--methods",
        nargs="*",
        choices=sorted(CLASSICAL),
        default=list(CLASSICAL),
        help="classical quantizers to measure (default: all)",
    )
    parser.add_argument("--colors", type=int, nargs="+", default=COLORS, help=f"numbers of colours ({_words(COLORS)})")
    parser.add_argument(
        "--qualities", type=int, nargs="*", default=QUALITIES, help=f"of JPEG and WebP, 1 to 100 ({_words(QUALITIES)})"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    parser.add_argument("--workers", type=int, help="processes for all but the networks (default: one for each core)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the results")
    return parser


def _words(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))


if __name__ == "__main__":
    run.command(main)
