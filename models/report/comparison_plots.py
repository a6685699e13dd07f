"""The plots of a comparison: recognition over colors and file size, file size over PSNR.

In every function, `subject` names the compared images in the subtitle. `original` is top-1 on the originals, 0 to 1,
drawn as a line; None draws no line. A row without the plotted value (no label, an exact image) has no point.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from matplotlib.figure import Figure

from models.evaluation.compare import Summary
from models.names import method_name
from models.report.plots import Level, Series, line_plot

Value = Callable[[Summary], float | None]


def top1_over_colors(rows: Sequence[Summary], subject: str, original: float | None) -> Figure:
    """Plot top-1 of each palette method over log2 K, as figure 5 of the ColorCNN paper."""
    return _over_colors(rows, _top1, "top-1", subject, original)


def kept_over_colors(rows: Sequence[Summary], subject: str) -> Figure:
    """Plot the share of images with the same prediction as their original, over log2 K."""
    return _over_colors(rows, lambda row: 100 * row.kept, "predictions kept", subject, None)


def top1_over_rate(rows: Sequence[Summary], subject: str, original: float | None, *, payload: bool) -> Figure:
    """Plot top-1 over bits per pixel of the files; `payload` excludes the bytes that do not depend on the picture."""
    return line_plot(
        _series(rows, lambda row: row.payload_bits_per_pixel if payload else row.bits_per_pixel, _top1),
        title="Top-1 over size" + (" without headers" if payload else ""),
        subtitle=f"{subject}; {_meaning(rows)}",
        x_label="bits per pixel" + (" that depend on the picture" if payload else " of the whole file"),
        y_label="top-1 in %",
        log_x=True,
        percent=True,
        level=_level(original),
    )


def bytes_over_psnr(rows: Sequence[Summary], subject: str) -> Figure:
    """Plot the mean bytes of the files over PSNR."""
    return line_plot(
        _series(rows, lambda row: row.psnr, lambda row: row.bytes),
        title="Size over PSNR to the original",
        subtitle=f"{subject}; {_meaning(rows)}",
        x_label="PSNR in dB",
        y_label="mean bytes of a file",
        log_y=True,
    )


def _over_colors(rows: Sequence[Summary], y: Value, quantity: str, subject: str, original: float | None) -> Figure:
    palettes = [row for row in rows if row.colors]
    bits = [_bits(row) or 0 for row in palettes]
    whole = range(math.floor(min(bits, default=1)), math.ceil(max(bits, default=8)) + 1)
    return line_plot(
        _series(palettes, _bits, y, marked=False),
        title=f"{quantity.capitalize()} in few colors",
        subtitle=subject,
        x_label="colors, and bits of an index",
        y_label=f"{quantity} in %",
        percent=True,
        level=_level(original),
        x_ticks={bit: f"{2**bit}\n{bit} bit{'s' * (bit > 1)}" for bit in whole},
    )


def _series(rows: Iterable[Summary], x: Value, y: Value, *, marked: bool = True) -> list[Series]:
    """Return a line for each method from left to right, marked with the number of colors or the quality."""
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for row in rows:
        across, up = x(row), y(row)
        if across is not None and up is not None:
            mark = str(row.colors or row.quality or "") if marked else ""
            lines.setdefault(row.method, []).append((across, up, mark))
    return [Series(method_name(method), *zip(*sorted(points), strict=True)) for method, points in lines.items()]


def _meaning(rows: Iterable[Summary]) -> str:
    return "numbers: colors" + (", or quality of JPEG and WebP" if any(row.quality for row in rows) else "")


def _bits(row: Summary) -> float | None:
    return math.log2(row.colors) if row.colors else None


def _top1(row: Summary) -> float | None:
    return None if row.top1 is None else 100 * row.top1


def _level(original: float | None) -> Level | None:
    return None if original is None else Level(f"originals: {100 * original:.1f} %", 100 * original)
