"""The figures of the BPG study: what images of few colors cost and keep beside the originals, QP by QP."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure

from models.evaluation.compare import Summary
from models.report.plots import Level, Series, line_plot

Value = Callable[[Summary], float | None]

_MARKED = 10  # every so many QPs one is written beside its point


def bpg_figures(rows: Sequence[Summary], subject: str, original: float) -> Mapping[str, Figure]:
    """Every figure, by the ending of its file's name.

    rows: of `training.evaluate.bpg`, whose `quality` is the QP. original: top-1 on the originals, 0 to 1.
    """
    level = Level(f"originals: {100 * original:.1f} %", 100 * original)
    return {
        "bits": _bits(rows, subject, payload=False),
        "bits-payload": _bits(rows, subject, payload=True),
        "rate": _rate(rows, subject, _top1, "top-1 in %", level),
        "likeness": _rate(rows, subject, lambda row: row.psnr, "PSNR to the original in dB", None),
    }


def _bits(rows: Sequence[Summary], subject: str, *, payload: bool) -> Figure:
    return line_plot(
        _series(rows, _qp, _payload if payload else _whole, marked=False),
        title="Size of BPG over QP" + (" without headers" if payload else ""),
        subtitle=subject,
        x_label="QP",
        y_label="bits per pixel" + (" of what depends on the picture" if payload else " of the whole file"),
        log_y=True,
    )


def _rate(rows: Sequence[Summary], subject: str, y: Value, y_label: str, level: Level | None) -> Figure:
    name = y_label.partition(" in ")[0]
    return line_plot(
        _series(rows, _whole, y, marked=True),
        title=f"{name[0].upper()}{name[1:]} over size of BPG",
        subtitle=f"{subject}; numbers: QP",
        x_label="bits per pixel of the whole file",
        y_label=y_label,
        log_x=True,
        percent=level is not None,
        level=level,
    )


def _series(rows: Sequence[Summary], x: Value, y: Value, *, marked: bool) -> list[Series]:
    """A line for each number of colors, and one for the originals, in the order of QP."""
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for row in sorted(rows, key=lambda row: row.quality or 0):
        across, up = x(row), y(row)
        if across is not None and up is not None:
            mark = str(row.quality) if marked and (row.quality or 0) % _MARKED == 0 else ""
            lines.setdefault(_label(row), []).append((across, up, mark))
    return [Series(label, *zip(*points, strict=True)) for label, points in lines.items()]


def _label(row: Summary) -> str:
    return f"{row.colors} colors" if row.colors else "originals"


def _qp(row: Summary) -> float | None:
    return row.quality


def _whole(row: Summary) -> float:
    return row.bits_per_pixel


def _payload(row: Summary) -> float:
    return row.payload_bits_per_pixel


def _top1(row: Summary) -> float | None:
    return None if row.top1 is None else 100 * row.top1
