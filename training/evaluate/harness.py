"""What evaluations share: a test set that knows its labels, processes to work in, rows that outlive the process."""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from threadpoolctl import threadpool_limits

from models.evaluation.compare import Measured, Row, Sample, Setting, Summary, make_row, measure_palette, summarize
from models.palette_image import PaletteImage
from models.recognizer import Recognizer, load_recognizer
from models.zoo.registry import Registry
from training.cli import numbers
from training.cli.arguments import add_data_flags, add_models_flag, require_data
from training.data.datasets import DatasetError, LabelledImages, load
from training.data.workers import Images, parts
from training.loop.provenance import commit, describe

Measure = Callable[[Setting], Iterable[list[Measured]]]
"""Puts all images of a test set through one setting; gives the parts of `parts` in their order."""
Clock = Callable[[Setting], float]
"""Milliseconds that one image takes in a setting."""


@dataclass(frozen=True)
class TestSet:
    """The images, (N, s, s, 3) uint8, as samples that know what the classifier sees in them."""

    __test__ = False  # no class of tests, whatever pytest thinks of its name

    images: Images
    samples: Sequence[Sample]
    recognizer: Recognizer

    @classmethod
    def prepare(cls, data: LabelledImages, recognizer: Recognizer) -> Self:
        """Classify the originals; DatasetError if the classifier knows other classes."""
        data.require_classes(recognizer.classes)
        images = data.images.permute(0, 2, 3, 1).numpy()
        seen = [prediction for part in parts(images) for prediction in recognizer.predict_batch(part)]
        rows = enumerate(zip(images, seen, data.labels.tolist(), strict=True))
        return cls(images, [Sample(str(i), image, before, truth) for i, (image, before, truth) in rows], recognizer)

    @property
    def top1(self) -> float:
        """Share of the originals whose label the classifier gives."""
        return float(np.mean([sample.before.index == sample.truth for sample in self.samples]))

    def summary(self, setting: Setting, measured: Iterable[list[Measured]]) -> Summary:
        """Classify what was read back, part by part, and average over all images."""
        rows: list[Row] = []
        for part in track(measured, _title(setting), total=len(parts(self.images)), transient=True):
            seen = self.recognizer.predict_batch(np.stack([one.view for one in part]))
            samples = self.samples[len(rows) : len(rows) + len(part)]
            rows += map(make_row, samples, repeat(setting), part, seen)
        [summary] = summarize(rows)
        return summary


class KeptRow(Protocol):
    """A dataclass of JSON values that tells its setting."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def setting(self) -> Setting:
        """What it is the row of."""


RowKind = TypeVar("RowKind", bound=KeptRow)


class KeptRows(Generic[RowKind]):
    """The rows that an evaluation has so far, of one kind, one JSON object a line after its header.

    Raises DatasetError where it holds rows of an evaluation with another header, or no such rows.
    """

    def __init__(self, file: Path, header: Mapping[str, Any], kind: Callable[..., RowKind]) -> None:
        self.file, self._header = file, header
        file.parent.mkdir(parents=True, exist_ok=True)
        whole, _, _ = (file.read_text() if file.exists() else "").rpartition("\n")  # the last line may be cut off
        try:
            first, *rows = map(json.loads, whole.splitlines() or [json.dumps(header)])
            self._rows = {row.setting: row for row in (kind(**values) for values in rows)}
        except (ValueError, TypeError) as error:
            raise DatasetError(f"{file} holds no rows of an evaluation: delete it to begin anew") from error
        if first != header:
            raise DatasetError(f"{file} was begun with other data, models or code: delete it to begin anew")
        _write(file, "".join(json.dumps(values) + "\n" for values in (header, *rows)))

    def find(self, setting: Setting) -> RowKind | None:
        """The row of that setting, if it is there."""
        return self._rows.get(setting)

    def add(self, row: RowKind) -> RowKind:
        """Keep a new row."""
        self._rows[row.setting] = row
        with self.file.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")
        return row

    def finish(self, out: Path, rows: Sequence[RowKind]) -> None:
        """Write the report of all rows, with the header and how it was made, in place of this file."""
        report = {**describe(), **self._header, "rows": [asdict(row) for row in rows]}
        _write(out, json.dumps(report, indent=1) + "\n")
        self.file.unlink()


def read_test_set(args: argparse.Namespace, registry: Registry, device: torch.device) -> TestSet:
    """The test set and the classifier of the flags; its first `--images` images where the script has that flag."""
    recognizer = load_recognizer(registry, args.classifier, device)
    data = load(require_data(args), "test", size=recognizer.size)
    return TestSet.prepare(data.select(torch.arange(len(data))[: getattr(args, "images", None)]), recognizer)


def evaluate(
    tests: TestSet,
    settings: Sequence[Setting],
    measure: Measure,
    args: argparse.Namespace,
    registry: Registry,
    clock: Clock,
    **conditions: str,
) -> list[Summary]:
    """Measure every setting that is not yet in the partial file beside `--out`, time all, and write the JSON file.

    conditions: what else all rows have in common, for the head of the file.
    """
    head = _header(tests, settings, args, registry) | conditions | {"commit": commit()}
    kept = KeptRows(kept_file(args.out), head, Summary)
    rows = [kept.find(setting) or kept.add(tests.summary(setting, measure(setting))) for setting in settings]
    with threadpool_limits(1):
        rows = [replace(row, milliseconds=clock(row.setting)) for row in rows]
    kept.finish(args.out, rows)
    _print(tests.top1, rows)
    return rows


def kept_file(out: Path) -> Path:
    """Where the rows of an unfinished report are."""
    return out.with_name(f"{out.name}.partial")


def measure_quantized(view: int, images: Images, painted: list[PaletteImage]) -> list[Measured]:
    """What came of a part of the test set that a network has painted; for the processes of a pool."""
    return [measure_palette(pixels, image, view=view) for pixels, image in zip(images, painted, strict=True)]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of every evaluation."""
    add_data_flags(parser)
    add_models_flag(parser)
    parser.add_argument("--classifier", required=True, help="published classifier that looks at the images")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    parser.add_argument(
        "--workers", type=numbers.COUNT, help="processes for all but the networks (default: one for each core)"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the results")


def words(numbers: Sequence[int]) -> str:
    """Numbers as they are given to a flag."""
    return " ".join(map(str, numbers))


def _write(file: Path, text: str) -> None:
    """A reader sees the old file or the new one."""
    partial = file.with_name(f"{file.name}.new.partial")
    partial.write_text(text)
    partial.replace(file)


def _header(
    tests: TestSet, settings: Sequence[Setting], args: argparse.Namespace, registry: Registry
) -> dict[str, Any]:
    """What an evaluation is of: rows of another one are not gone on with."""
    names = [args.classifier, *dict.fromkeys(setting.model for setting in settings if setting.model)]
    entries = [registry.entry(name) for name in names]
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
    levels = [(setting.colors, "colors"), (setting.quality, "quality")]
    return ", ".join([setting.method, *(f"{unit} {level}" for level, unit in levels if level is not None)])


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
