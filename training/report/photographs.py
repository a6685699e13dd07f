"""Tables and the figure of `training.evaluate.photographs`: what classifiers recognize in few colors, by method."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure

from models.evaluation.compare import Setting
from models.evaluation.report_rows import PhotographDifference, PhotographRow
from models.evaluation.reports import PhotographsReport
from models.names import PHOTOGRAPH_METHODS, TRUECOLOR, method_name
from models.report.panels import Panel, panels
from models.report.plots import Series
from training.report.markdown import NONE, cell, table

_ROLES = {"own": "own", "involved": "involved", "foreign": "no part"}
_COMMON = "imagenet-"  # beginning of most names of classifiers

_SIZES = ("PSNR in the view", "bits per pixel", "photographs")

Lines = Mapping[str, Mapping[str, str]]


def tables(report: PhotographsReport) -> dict[str, str]:
    """Return every table by its title.

    With one classifier and one size, a table has a line for each method and a column for each K. Else there is a table
    for each size and K, with a column for each classifier.
    """
    if len({(row.side, row.reader) for row in report.rows}) == 1:
        return _by_colors(report.rows)
    found: dict[str, str] = {}
    for side in sorted({row.side for row in report.rows}):
        here = [row for row in report.rows if row.side == side]
        for colors in sorted({row.colors for row in here if row.colors}):
            rows = [row for row in here if row.colors == colors or row.method == TRUECOLOR]
            found[f"Agreement in %, K = {colors} at {side} pixels"] = _by_reader(rows, _kept, sizes=True)
            found[f"Top-1 in %, K = {colors} at {side} pixels"] = _by_reader(rows, _top1, sizes=False)
        if codecs := [row for row in here if row.quality]:
            found[f"Codecs at {side} pixels"] = _by_reader(codecs, _kept, sizes=True)
    return found | _differences(report)


def figures(report: PhotographsReport) -> Mapping[str, Figure]:
    """Return every figure by the ending of its file name: agreement over bits per pixel where there are codecs."""
    if not any(row.quality for row in report.rows):
        return {}
    rows = [row for row in report.rows if row.method != TRUECOLOR]
    cells = {(row.side, row.reader): f"{_short(row)}, {row.side} pixels" for row in rows}
    grid = [
        [Panel(title, _series(rows, side, reader)) for (of, reader), title in cells.items() if of == side]
        for side in sorted({side for side, _ in cells})
    ]
    about = f"{report.dataset}, {report.images:,} photographs, {report.split}; numbers: colors, or quality of a codec"
    return {
        "rate": panels(
            grid,
            title="Agreement with the original over size, a column for each classifier",
            subtitle=about,
            x_label="bits per pixel of the whole file",
            y_label="same likeliest class in %",
        )
    }


def _series(rows: Sequence[PhotographRow], side: int, reader: str) -> list[Series]:
    """Return a line for each method, from the smallest files to the largest."""
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for row in rows:
        if (row.side, row.reader) == (side, reader):
            point = (row.bits_per_pixel, 100 * row.kept, str(row.colors or row.quality or ""))
            lines.setdefault(_name(row), []).append(point)
    return [Series(name, *zip(*sorted(points), strict=True)) for name, points in lines.items()]


def _by_colors(rows: Sequence[PhotographRow]) -> dict[str, str]:
    return {
        "Prediction kept, in %": _method_by_colors(rows, _kept),
        "PSNR in the view, in dB": _method_by_colors(rows, _view_psnr),
        "Bits per pixel": _method_by_colors(rows, _bits),
    }


def _method_by_colors(rows: Sequence[PhotographRow], show: Callable[[PhotographRow], str]) -> str:
    palettes = [row for row in rows if row.colors]
    lines: dict[str, dict[str, str]] = {}
    for row in palettes:
        lines.setdefault(_name(row), {})[f"K = {row.colors}"] = show(row)
    return _table(lines, [f"K = {k}" for k in sorted({row.colors or 0 for row in palettes})])


def _by_reader(rows: Sequence[PhotographRow], show: Callable[[PhotographRow], str], *, sizes: bool) -> str:
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault(_line(row), {})
        line[_reader(row)] = show(row)
        if sizes:
            line |= dict(zip(_SIZES, (_view_psnr(row), _bits(row), f"{row.images:,}"), strict=True))
    readers = dict.fromkeys(_reader(row) for row in rows)
    return _table(lines, [*readers, *(_SIZES if sizes else ())])


def _differences(report: PhotographsReport) -> dict[str, str]:
    headings = {row.reader: _reader(row) for row in report.rows}
    found: dict[str, dict[str, dict[str, str]]] = {}
    for each in report.differences:
        title = f"Points above {method_name(each.against)}, K = {each.colors} at {each.side} pixels"
        line = found.setdefault(title, {}).setdefault(_name(each), {})
        line[headings[each.reader]] = _points(each)
    return {title: _table(lines, list(headings.values())) for title, lines in found.items()}


def _table(lines: Lines, columns: Sequence[str]) -> str:
    body = [[name, *(cells.get(column, NONE) for column in columns)] for name, cells in lines.items()]
    return table(["method", *columns], body)


def _line(row: PhotographRow) -> str:
    return _name(row) + (f", quality {row.quality}" if row.quality else "")


def _name(row: Setting) -> str:
    """Return the name of a method, with what distinguishes its lines from one another."""
    alone = " for one reader" if row.method in PHOTOGRAPH_METHODS and row.model else ""
    fidelity = f", fidelity {row.fidelity:g}" if row.fidelity else ""
    return method_name(row.method) + alone + fidelity


def _reader(row: PhotographRow) -> str:
    return f"{_short(row)} ({_ROLES[row.role]})"


def _short(row: PhotographRow) -> str:
    return row.reader.removeprefix(_COMMON)


def _kept(row: PhotographRow) -> str:
    return f"{100 * row.kept:.1f} ({100 * row.kept_low:.1f} to {100 * row.kept_high:.1f})"


def _top1(row: PhotographRow) -> str:
    if row.top1 is None or row.top1_low is None or row.top1_high is None:
        return NONE
    return f"{100 * row.top1:.1f} ({100 * row.top1_low:.1f} to {100 * row.top1_high:.1f})"


def _view_psnr(row: PhotographRow) -> str:
    return cell(row.view_psnr, "{:.1f}", none="exact")


def _bits(row: PhotographRow) -> str:
    return f"{row.bits_per_pixel:.2f}"


def _points(each: PhotographDifference) -> str:
    return f"{100 * each.points:+.1f} ({100 * each.low:+.1f} to {100 * each.high:+.1f})"
