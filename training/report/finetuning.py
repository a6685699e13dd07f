"""The tables and figures of `training.evaluate.finetuning`: top-1 before and after fine-tuning on few-color images."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from models.evaluation.compare import Setting
from models.report.plots import Level, Series, line_plot
from training.report.markdown import table

Report = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """One setting: what the published classifier and the fine-tuned one read in the painted test set.

    method, model, colors, quality: as of `models.evaluation.compare.Setting`. images: of the test set. bits_per_pixel: of their
    files. top1_before, top1_after: 0 to 1, by the published classifier and by the fine-tuned one. held_out_before,
    held_out_after: the same on the held-out part of train. painting_minutes: of painting all images, or of coding what
    was painted. minutes: of fine-tuning. name, sha256: of the fine-tuned classifier and its checkpoint, as
    training.publish writes it.
    """

    name: str
    sha256: str
    method: str
    model: str | None
    colors: int | None
    quality: int | None
    images: int
    bits_per_pixel: float
    top1_before: float
    top1_after: float
    held_out_before: float
    held_out_after: float
    painting_minutes: float
    minutes: float

    @property
    def setting(self) -> Setting:
        """What the images went through."""
        return Setting(self.method, self.model, self.colors, self.quality)


def tables(report: Report) -> dict[str, str]:
    """Every table, by its title: of palettes, and originals last; or, after BPG, beside those of about equal size."""
    images = f"{report['trained_on']:,} images"
    rows = [Tuned(**row) for row in report["rows"]]
    painted = [row for row in rows if row.colors]
    originals = [row for row in rows if not row.colors]
    if all(row.quality is None for row in rows):
        heading = ["K", "bits per pixel", "before", "after", "gain", "minutes of painting", "of fine-tuning"]
        body = [[str(row.colors or "originals"), *_cells(row), *_minutes(row)] for row in painted + originals]
        return {f"Top-1 in % before and after fine-tuning on {images}": table(heading, body)}
    heading = ["K", "QP", "bits per pixel", "before", "after", "gain", "minutes of coding", "of fine-tuning"]
    heading += ["originals: QP", "bits per pixel", "before", "after", "gain"]
    body = []
    for row in painted:
        equal = min(originals, key=lambda other, row=row: abs(other.bits_per_pixel - row.bits_per_pixel))  # type: ignore[misc]
        place = [str(row.colors), str(row.quality)]
        body.append([*place, *_cells(row), *_minutes(row), str(equal.quality), *_cells(equal)])
    return {f"Top-1 in % before and after fine-tuning on BPG of {images}": table(heading, body)}


def figures(report: Report, subject: str) -> Mapping[str, Figure]:
    """Every figure, by the ending of its file's name."""
    rows = [Tuned(**row) for row in report["rows"]]
    level = Level(f"originals: {100 * report['top1_original']:.1f} %", 100 * report["top1_original"])
    if all(row.quality is None for row in rows):
        return {"accuracy": _over_colors(rows, subject, level)}
    coded = f"{subject}, BPG {report['chroma']}"
    return {
        "before": _over_rate(rows, coded, level, lambda row: row.top1_before, "before fine-tuning"),
        "after": _over_rate(rows, coded, level, lambda row: row.top1_after, "after fine-tuning"),
    }


def _over_colors(rows: Sequence[Tuned], subject: str, level: Level) -> Figure:
    """Figure 6 of the reproduction study."""
    painted = [row for row in rows if row.colors]
    bits = tuple(math.log2(row.colors) for row in painted if row.colors)
    none = ("",) * len(painted)
    return line_plot(
        [
            Series("before", bits, tuple(100 * row.top1_before for row in painted), none),
            Series("fine-tuned", bits, tuple(100 * row.top1_after for row in painted), none),
        ],
        title="Top-1 before and after fine-tuning on few colors",
        subtitle=subject,
        x_label="bits of an index, log2 K",
        y_label="top-1 in %",
        percent=True,
        level=level,
        x_ticks={bit: f"{bit:g}" for bit in bits},
    )


def _over_rate(rows: Sequence[Tuned], subject: str, level: Level, value: Callable[[Tuned], float], when: str) -> Figure:
    """Figures 8 and 9 of the reproduction study."""
    lines: dict[str, list[Tuned]] = {}
    for row in sorted(rows, key=lambda row: row.bits_per_pixel):
        lines.setdefault(f"{row.colors} colors" if row.colors else "originals", []).append(row)
    series = [
        Series(
            label,
            tuple(row.bits_per_pixel for row in line),
            tuple(100 * value(row) for row in line),
            tuple(str(row.quality) for row in line),
        )
        for label, line in lines.items()
    ]
    return line_plot(
        series,
        title=f"Top-1 over size of BPG, {when}",
        subtitle=f"{subject}; numbers: QP",
        x_label="bits per pixel of the whole file",
        y_label="top-1 in %",
        log_x=True,
        percent=True,
        level=level,
    )


def _cells(row: Tuned) -> list[str]:
    before, after = 100 * row.top1_before, 100 * row.top1_after
    return [f"{row.bits_per_pixel:.2f}", f"{before:.1f}", f"{after:.1f}", f"{after - before:+.1f}"]


def _minutes(row: Tuned) -> list[str]:
    return [f"{row.painting_minutes:.1f}", f"{row.minutes:.1f}"]
