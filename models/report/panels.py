"""A grid of line plots with common axes and one legend, in the style of `models.report.plots`."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure

from models.report.plots import RC, SOFT, Series, draw_line, format_axes, write_marks

_CELL = (3.0, 2.9)  # inches of a plot, width and height
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.75, 2.2, 0.95, 0.6  # inches around the grid; the legend stands on the right


@dataclass(frozen=True)
class Panel:
    """One plot of the grid."""

    title: str
    series: Sequence[Series]


def panels(grid: Sequence[Sequence[Panel]], *, title: str, subtitle: str, x_label: str, y_label: str) -> Figure:
    """Draw a grid of panels, rows of equal length, of percentages over a logarithmic x axis that all share."""
    across, down = len(grid[0]), len(grid)
    width, height = _LEFT + across * _CELL[0] + _RIGHT, _TOP + down * _CELL[1] + _BOTTOM
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height), facecolor="white")
        figure.suptitle(title, x=_LEFT / width, y=1 - 0.2 / height, ha="left", fontweight="bold", fontsize=12)
        figure.text(_LEFT / width, 1 - 0.5 / height, subtitle, fontsize=8, color=SOFT)
        axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        figure.subplots_adjust(
            left=_LEFT / width,
            right=1 - _RIGHT / width,
            top=1 - _TOP / height,
            bottom=_BOTTOM / height,
            wspace=0.08,
            hspace=0.2,
        )
        handles = {}
        for row, line in zip(axes, grid, strict=True):
            for ax, panel in zip(row, line, strict=True):
                ax.set_title(panel.title, loc="left", fontsize=9, pad=9)
                for series in panel.series:
                    handles[series.label] = draw_line(ax, series)
                format_axes(ax, log_x=True, log_y=False)
                ax.label_outer()
        low, high = axes[0, 0].get_xlim()
        axes[0, 0].set(xlim=(low, high), ylim=(-2, 102))
        for row, line in zip(axes, grid, strict=True):
            for ax, panel in zip(row, line, strict=True):
                write_marks(ax, panel.series)
        figure.supxlabel(x_label, fontsize=9)
        figure.supylabel(y_label, x=0.15 / width, fontsize=9)
        figure.legend(
            handles=list(handles.values()),
            loc="upper left",
            bbox_to_anchor=(1 - (_RIGHT - 0.1) / width, 1 - _TOP / height),
            frameon=False,
            handlelength=2.8,
            labelspacing=0.8,
        )
    return figure
