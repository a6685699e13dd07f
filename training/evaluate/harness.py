"""Shared parts of all evaluations: a classified test set, resumable rows, the head of a report."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from models.evaluation.compare import Measured, Row, Sample, Setting, Summary, make_row, measure_palette, summarize
from models.evaluation.report_kinds import Kind, head
from models.files import write_atomically
from models.palette_image import PaletteImage
from models.recognizer import Recognizer, load_recognizer
from models.rgb import ViewGeometry
from models.zoo.registry import Registry
from training.cli.evaluations import EvaluationOptions
from training.data.datasets import DatasetError, LabeledImages, load
from training.data.workers import Images, parts
from training.extras import rich
from training.loop.provenance import commit, describe


class Measurer(Protocol):
    """Measurement of the images of a test set in one setting."""

    def __call__(self, setting: Setting) -> Iterable[list[Measured]]:
        """Return the measurements of all images, one list for each of `parts`, in their order."""

    def milliseconds(self, setting: Setting) -> float:
        """Return the mean run time for one image."""


@dataclass(frozen=True)
class TestSet:
    """Images, (N, s, s, 3) uint8 sRGB, and the samples that add the classifier's predictions."""

    __test__ = False  # pytest would collect a class of this name

    images: Images
    samples: Sequence[Sample]
    recognizer: Recognizer

    @classmethod
    def prepare(cls, data: LabeledImages, recognizer: Recognizer, first: int = 0) -> Self:
        """Classify the originals. first: number of the first image. Raises DatasetError for other classes than the
        classifier's.
        """
        data.require_classes(recognizer.classes)
        images = data.images.permute(0, 2, 3, 1).numpy()
        seen = [prediction for part in parts(images) for prediction in recognizer.predict_batch(part)]
        rows = enumerate(zip(images, seen, data.labels.tolist(), strict=True), first)
        return cls(images, [Sample(str(i), image, before, truth) for i, (image, before, truth) in rows], recognizer)

    @property
    def whole(self) -> ViewGeometry:
        """What the classifier sees of these images, which have its input size already: all, whatever its crop."""
        return ViewGeometry.of(self.recognizer.size, None, None)

    @property
    def top1(self) -> float:
        """Top-1 of the classifier on the originals, 0 to 1."""
        return float(np.mean([sample.before.index == sample.truth for sample in self.samples]))

    def rows(self, setting: Setting, measured: Iterable[list[Measured]]) -> list[Row]:
        """Classify the images that were read back, part by part, and return the row of each image."""
        rows: list[Row] = []
        for part in measured:
            seen = self.recognizer.predict_batch(np.stack([one.view for one in part]))
            samples = self.samples[len(rows) : len(rows) + len(part)]
            rows += map(make_row, samples, repeat(setting), part, seen)
        return rows

    def summary(self, setting: Setting, measured: Iterable[list[Measured]]) -> Summary:
        """Return the means over the rows of all images, and show the progress."""
        total = len(parts(self.images))
        shown = rich.progress.track(measured, _title(setting), total, transient=True)
        [summary] = summarize(self.rows(setting, shown))
        return summary


RowOfSetting = TypeVar("RowOfSetting", bound=Setting)


class KeptRows(Generic[RowOfSetting]):
    """Finished rows of an evaluation, kept in a file: a header, then one JSON object per line.

    Raises DatasetError if the file has another header or holds no rows.
    """

    def __init__(self, file: Path, header: Mapping[str, Any], row_type: Callable[..., RowOfSetting]) -> None:
        self.file, self._header = file, header
        file.parent.mkdir(parents=True, exist_ok=True)
        whole, _, _ = (file.read_text() if file.exists() else "").rpartition("\n")  # the last line may be cut off
        try:
            first, *rows = map(json.loads, whole.splitlines() or [json.dumps(header)])
            self._rows = {row.setting: row for row in (row_type(**values) for values in rows)}
        except (ValueError, TypeError) as error:
            raise DatasetError(f"{file} holds no rows of an evaluation: delete the file to start again") from error
        if first != header:
            raise DatasetError(f"{file} was made with other data, models or code: delete the file to start again")
        write_atomically(file, "".join(json.dumps(values) + "\n" for values in (header, *rows)).encode())

    def find(self, setting: Setting) -> RowOfSetting | None:
        """Return the finished row of a setting, or None."""
        return self._rows.get(setting)

    def add(self, row: RowOfSetting) -> RowOfSetting:
        """Keep a new row and return the row."""
        self._rows[row.setting] = row
        with self.file.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")
        return row

    def finish(self, out: Path, rows: Sequence[RowOfSetting]) -> None:
        """Write the report, with the header, the provenance and `rows`, to `out`; delete the file of kept rows."""
        write_report(out, {**self._header, **describe(), **self._header}, rows)
        self.file.unlink()


def read_test_set(options: EvaluationOptions, registry: Registry, device: torch.device) -> TestSet:
    """Load and classify the test set; only the first --images if the command has this option."""
    recognizer = load_recognizer(registry, options.classifier, device)
    data = load(options.folder, "test", size=recognizer.size)
    return TestSet.prepare(data.select(torch.arange(len(data))[: getattr(options, "images", None)]), recognizer)


def evaluate(
    kind: Kind,
    tests: TestSet,
    settings: Sequence[Setting],
    measurer: Measurer,
    options: EvaluationOptions,
    registry: Registry,
    **conditions: str,
) -> list[Summary]:
    """Measure every setting that is not kept beside `--out`, time all settings, and write the JSON report.

    conditions: further entries of the report that all rows have in common.
    """
    described = describe_models(len(tests.samples), settings, options, registry)
    header = head(kind) | described | {"top1_original": tests.top1} | conditions | {"commit": commit()}
    kept = KeptRows(kept_file(options.out), header, Summary)
    rows = [kept.find(setting) or kept.add(tests.summary(setting, measurer(setting))) for setting in settings]
    rows = timed(rows, measurer)
    kept.finish(options.out, rows)
    show(tests.top1, rows)
    return rows


def timed(rows: Sequence[Summary], measurer: Measurer) -> list[Summary]:
    """Return the rows with milliseconds that are measured on one thread of this process."""
    with threadpool_limits(1):
        return [replace(row, milliseconds=measurer.milliseconds(row.setting)) for row in rows]


def kept_file(out: Path) -> Path:
    """Return the file that keeps the rows of an unfinished report."""
    return out.with_name(f"{out.name}.partial")


def write_report(out: Path, header: Mapping[str, Any], rows: Sequence[Any]) -> None:
    """Write a JSON report of dataclass rows; `header` begins with `models.evaluation.report_kinds.head`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, (json.dumps({**header, "rows": [asdict(row) for row in rows]}, indent=1) + "\n").encode())


def measure_quantized(view: ViewGeometry, images: Images, quantized: list[PaletteImage]) -> list[Measured]:
    """Measure a part of the test set that a network has quantized; runs in the processes of a pool."""
    return [measure_palette(pixels, image, view=view) for pixels, image in zip(images, quantized, strict=True)]


def describe_models(
    images: int, settings: Sequence[Setting], options: EvaluationOptions, registry: Registry
) -> dict[str, Any]:
    """Return the dataset and the models of an evaluation of so many images; rows are reused only for the same."""
    names = [options.classifier, *dict.fromkeys(setting.model for setting in settings if setting.model)]
    entries = [registry.entry(name) for name in names]
    return {
        "dataset": options.dataset,
        "split": "test",
        "images": images,
        "classifier": options.classifier,
        "quantizer": getattr(options, "quantizer", None),
        "sha256": {entry.name: entry.sha256 for entry in entries},
        "seeds": {entry.name: registry.provenance(entry.name).seed for entry in entries},
    }


def _title(setting: Setting) -> str:
    levels = {
        "colors": setting.colors,
        "quality": setting.quality,
        "QP": setting.qp,
        "fidelity": setting.fidelity,
    }
    return ", ".join([setting.method, *(f"{name} {level}" for name, level in levels.items() if level is not None)])


def show(original: float, rows: Sequence[Summary]) -> None:
    """Print the rows as a table. original: top-1 on the originals, 0 to 1."""
    table = rich.table.Table(title=f"originals: top-1 {100 * original:.2f} %")
    for heading in ("setting", "top-1 %", "kept %", "bits per pixel", "PSNR dB", "SSIM"):
        table.add_column(heading, justify="left" if heading == "setting" else "right")
    for row in rows:
        measured = (100 * (row.top1 or 0), 100 * row.kept, row.bits_per_pixel, row.psnr, row.ssim)
        digits = (2, 2, 3, 2, 3)
        cells = ("-" if value is None else f"{value:.{d}f}" for value, d in zip(measured, digits, strict=True))
        table.add_row(_title(row.setting), *cells)
    rich.console.Console().print(table)
