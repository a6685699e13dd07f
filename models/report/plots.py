"""Line plots of results, drawn by Matplotlib without pyplot or windows. Equal data give equal bytes."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray
from PIL import Image

_SIZE = (8.0, 4.5)  # inches
_FRAME = (0.1, 0.13, 0.655, 0.74)  # left, bottom, width, height of the axes in the figure; the legend is right of them
_DPI = 200  # of a PNG: 1600 x 900 pixels for a figure of that size
_COLORS = 128  # of a PNG; median cut preserves the colors of lines and markers exactly
_MARK = 6.5  # points, size of the letters of a mark
_INK, SOFT, _GRID = "#333333", "#777777", "#e6e6e6"
RC: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "text.parse_math": False,  # a dollar sign in a label does not start a formula
    "xtick.color": _INK,
    "ytick.color": _INK,
    "svg.fonttype": "none",  # text is stored as text, not as outlines
    "svg.hashsalt": "colorcnn",  # makes the names inside the file reproducible
}


class _Style(NamedTuple):
    color: str
    marker: str
    dashed: bool = False
    width: float = 1.6


# Colors that color-blind readers can tell apart: Okabe and Ito, "Color Universal Design", 2008. Their yellow is too
# light for lines on white. No two methods share color, width and dashes. A variant of a method has its color, dashed
# and hollow; codecs without a palette are gray or black.
_VERMILION, _BLUE, _GREEN, _PURPLE, _ORANGE, _SKY = "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
_BLACK, _THICK = "#000000", 2.8
_STYLES: Mapping[str, _Style] = {
    "ColorCNN": _Style(_VERMILION, "o", width=_THICK),
    "ColorCNN, one pass": _Style(_VERMILION, "o", dashed=True, width=_THICK),
    "ColorCNN, refined": _Style(_PURPLE, "*", width=_THICK),
    "ColorCNN, as a code": _Style(_GREEN, "*", width=_THICK),
    "ColorCNN as published": _Style(_VERMILION, "o", dashed=True),
    "median cut": _Style(_BLUE, "s"),
    "median cut + dither": _Style(_BLUE, "s", dashed=True),
    "median cut by error": _Style(_PURPLE, "s", dashed=True, width=_THICK),
    "octree": _Style(_GREEN, "^"),
    "octree, nearest entry": _Style(_GREEN, "^", dashed=True, width=_THICK),
    "maximum coverage": _Style(_PURPLE, "D"),
    "k-means": _Style(_ORANGE, "v"),
    "k-means in OKLab": _Style(_ORANGE, "v", dashed=True),
    "Wu": _Style(_SKY, "P"),
    "Wu, nearest entry": _Style(_ORANGE, "P", dashed=True, width=_THICK),
    "libimagequant": _Style(_BLACK, "X"),
    "refined": _Style(_BLUE, "o", width=_THICK),
    "refined, few steps": _Style(_BLUE, "o", dashed=True, width=_THICK),
    "refined, one pass": _Style(_SKY, "o", dashed=True, width=_THICK),
    "refined, no dither": _Style(_SKY, "o", width=_THICK),
    "halftone": _Style(_GREEN, "h", dashed=True),
    "nearest color": _Style(_SKY, "P", dashed=True),
    "Floyd-Steinberg (Pillow)": _Style(_PURPLE, "D", dashed=True),
    "JPEG": _Style(SOFT, "<"),
    "WebP": _Style(SOFT, ">", dashed=True),
    "AVIF": _Style(_BLACK, "d", dashed=True),
    "JPEG XL": _Style(SOFT, "p", dashed=True, width=_THICK),
    "BPG": _Style(_BLACK, "D", dashed=True, width=_THICK),
    "24-bit PNG": _Style(SOFT, "*", width=_THICK),
    "originals": _Style(_BLACK, "X", width=_THICK),
    "2 colors": _Style(_VERMILION, "o"),
    "4 colors": _Style(_ORANGE, "v"),
    "8 colors": _Style(_GREEN, "^"),
    "16 colors": _Style(_SKY, "P"),
    "32 colors": _Style(_BLUE, "s"),
    "before": _Style(_BLUE, "s", dashed=True),
    "fine-tuned": _Style(_VERMILION, "o", width=2.8),
}
_OTHERS = tuple(_Style(color, "h", dashed=True) for color in (_VERMILION, _BLUE, _GREEN, _PURPLE, _ORANGE, _SKY))


@dataclass(frozen=True)
class Series:
    """One line of a plot.

    Attributes:
        label: text in the legend; a label has the same color and marker in every plot.
        x, y: points in the order in which the line joins them.
        marks: short text beside each point, drawn where there is room; "" for none.

    Raises ValueError if `x`, `y` and `marks` differ in length.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    marks: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.y) == len(self.marks):
            raise ValueError(f"{self.label}: {len(self.x)} x, {len(self.y)} y and {len(self.marks)} marks")


@dataclass(frozen=True)
class Level:
    """A horizontal line across the plot at `y`, with its `label` on it."""

    label: str
    y: float


def line_plot(
    series: Sequence[Series],
    *,
    title: str,
    subtitle: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    percent: bool = False,
    level: Level | None = None,
    x_ticks: Mapping[float, str] | None = None,
) -> Figure:
    """Draw `series`. The legend stands to the right of the axes, from the highest line to the lowest.

    percent: whether y is a percentage, which limits the axis to 0 and 100. level: a horizontal line. x_ticks: labels of
    the ticks, by position; None for round numbers.
    """
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=_SIZE, facecolor="white")
        axes = figure.add_axes(_FRAME)
        axes.set_title(title, loc="left", fontweight="bold", fontsize=11, pad=20)
        axes.text(0, 1.035, subtitle, transform=axes.transAxes, fontsize=8, color=SOFT)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.margins(x=0.04, y=0.07)
        lines = [draw_line(axes, line) for line in series]
        if level:
            _draw_level(axes, level)
        format_axes(axes, log_x=log_x, log_y=log_y)
        low, high = axes.get_ylim()
        ylim = (max(low, -1), min(high, 101)) if percent else (low, high)
        axes.set(xlim=axes.get_xlim(), ylim=ylim)  # else Matplotlib sets the limits when it draws
        if x_ticks:
            axes.set_xticks(list(x_ticks), list(x_ticks.values()))
        write_marks(axes, series)
        _add_legend(axes, series, lines)
    return figure


def svg(figure: Figure) -> str:
    """Return the figure as an <svg> element for an HTML page, without XML prolog, with selectable text."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(RC):
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = buffer.getvalue().decode()
    return text[text.index("<svg") :]


def png(figure: Figure) -> bytes:
    """Return the figure as an indexed PNG file of 200 dots per inch, a third of the size of a 24-bit PNG."""
    truecolor, indexed = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(RC):
        figure.savefig(truecolor, format="png", dpi=_DPI)
    with Image.open(truecolor) as picture:
        picture.convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE).save(indexed, "PNG", optimize=True)
    return indexed.getvalue()


def _style(label: str) -> _Style:
    return _STYLES.get(label) or _OTHERS[crc32(label.encode()) % len(_OTHERS)]


def draw_line(axes: Axes, line: Series) -> Line2D:
    """Draw one line in the style of its label; return its handle for a legend."""
    style = _style(line.label)
    [handle] = axes.plot(
        line.x,
        line.y,
        label=line.label,
        color=style.color,
        linewidth=style.width,
        linestyle="none" if len(line.x) == 1 else (0, (4, 2)) if style.dashed else "solid",
        marker=style.marker,
        markersize=3 + 1.5 * style.width,
        markerfacecolor="white" if style.dashed else style.color,
        markeredgewidth=1,
        zorder=2 + style.width / 10,
    )
    return handle


def _draw_level(axes: Axes, level: Level) -> None:
    axes.axhline(level.y, color=_INK, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
    position = axes.get_yaxis_transform()
    axes.text(0.012, level.y, level.label, transform=position, fontsize=8, verticalalignment="bottom")


def format_axes(axes: Axes, *, log_x: bool, log_y: bool) -> None:
    """Set scales, round numbers at the ticks, a light grid, and no frame but the two axes."""
    axes.set_xscale("log" if log_x else "linear")
    axes.set_yscale("log" if log_y else "linear")
    for axis, logarithmic in ((axes.xaxis, log_x), (axes.yaxis, log_y)):
        _number_ticks(axis, logarithmic=logarithmic)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=3)


def _number_ticks(axis: Axis, *, logarithmic: bool) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    if logarithmic:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())


def _number(value: float) -> str:
    """Return a number without trailing zeros; from 10,000 on in thousands, "k", to fit beside the axis."""
    return f"{value / 1000:,.10g}k" if abs(value) >= 10_000 else f"{value:,.10g}"


def _add_legend(axes: Axes, series: Sequence[Series], lines: Sequence[Line2D]) -> None:
    heights = {line.label: -float(np.mean(line.y)) for line in series if line.y}
    handles = [handle for handle in lines if handle.get_label() in heights]
    axes.legend(
        handles=sorted(handles, key=lambda handle: heights[str(handle.get_label())]),
        loc="upper left",
        bbox_to_anchor=(1.01, 1.03),
        frameon=False,
        handlelength=2.8,
        labelspacing=0.8,
    )


def write_marks(axes: Axes, series: Sequence[Series]) -> None:
    """Write each mark beside its point, unless the mark would cover a line or another mark at every position."""
    scale = 72 / axes.figure.dpi  # positions in typographic points do not depend on the resolution
    lines = [scale * axes.transData.transform(np.column_stack([line.x, line.y])) for line in series]
    boxes = [*(_around(positions, 3) for positions in lines), *(_around(_between(each), 1) for each in lines)]
    occupied = np.concatenate([np.empty((0, 2, 2)), *boxes])
    for line, positions in zip(series, lines, strict=True):
        look: dict[str, Any] = {"color": _style(line.label).color, "fontsize": _MARK, "ha": "center", "va": "center"}
        for mark, x, y, position in zip(line.marks, line.x, line.y, positions, strict=True):
            box = next((box for box in _boxes(mark, position) if not _overlaps(box, occupied)), None) if mark else None
            if box is not None:
                occupied = np.concatenate([occupied, box[None]])
                axes.annotate(mark, (x, y), tuple(box.mean(axis=0) - position), textcoords="offset points", **look)


def _around(positions: NDArray[np.float64], half: float) -> NDArray[np.float64]:
    """Return boxes around (N, 2) positions as (N, 2, 2): the lower left and the upper right corner of each."""
    return np.stack([positions - half, positions + half], axis=1)


def _overlaps(box: NDArray[np.float64], boxes: NDArray[np.float64]) -> bool:
    """Return whether a box, (2, 2), overlaps any of the boxes, (N, 2, 2)."""
    return bool(((boxes[:, 0] < box[1]) & (boxes[:, 1] > box[0])).all(axis=1).any())


def _boxes(mark: str, position: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield candidate boxes of a mark: above, below, right and left of its point, and beside a rising line."""
    half = np.array([1 + 0.3 * _MARK * len(mark), 0.4 * _MARK])
    side = 4 + half[0]
    for shift in ((0, 8), (0, -8), (side, 0), (-side, 0), (1 - side, 6), (side - 1, -6)):
        yield np.array([position + shift - half, position + shift + half])


def _between(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points along the line through `positions`, (N, 2)."""
    whole = np.arange(len(positions))
    parts = np.linspace(0, max(0, len(positions) - 1), 24 * len(positions))
    return np.column_stack([np.interp(parts, whole, column) for column in positions.T]) if len(positions) else positions
