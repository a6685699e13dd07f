"""A grid of plots: each panel has its title and points, all share their axes, and the legend has each label once."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from models.report.panels import Panel, panels
from models.report.plots import Series

KMEANS = Series("k-means", (1.0, 2.0, 4.0), (20.0, 50.0, 80.0), ("2", "4", "8"))
JPEG = Series("JPEG", (0.5, 8.0), (10.0, 100.0), ("", ""))


def grid_of(rows: int, columns: int) -> Figure:
    cells = [[Panel(f"{row}{column}", [KMEANS, JPEG]) for column in range(columns)] for row in range(rows)]
    return panels(cells, title="A title", subtitle="of what", x_label="bits", y_label="kept")


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (2, 1), (2, 3)])
def test_a_grid_of_any_shape_has_its_panels_in_order(rows: int, columns: int) -> None:
    figure = grid_of(rows, columns)

    assert [ax.get_title(loc="left") for ax in figure.axes] == [f"{r}{c}" for r in range(rows) for c in range(columns)]
    for ax in figure.axes:
        points = [np.asarray(line.get_xydata()).tolist() for line in ax.get_lines()]
        assert points == [np.column_stack([line.x, line.y]).tolist() for line in (KMEANS, JPEG)]
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["k-means", "JPEG"]


def test_the_panels_share_a_logarithmic_axis_and_percentages() -> None:
    figure = grid_of(2, 2)

    assert {ax.get_xscale() for ax in figure.axes} == {"log"}
    assert {ax.get_ylim() for ax in figure.axes} == {(-2, 102)}
    [limits] = {ax.get_xlim() for ax in figure.axes}
    assert limits[0] < 0.5 and limits[1] > 8
    outer = [ax.xaxis.get_tick_params()["labelbottom"] for ax in figure.axes]
    assert outer == [False, False, True, True]  # only the lowest row has numbers below


def test_a_figure_grows_by_its_panels_and_its_parts_lie_inside() -> None:
    """Each panel is 3.0 x 2.9 inches; the margins hold the titles above and the legend on the right."""
    small, large = grid_of(1, 1), grid_of(2, 3)

    assert (large.get_size_inches() - small.get_size_inches()).round(6).tolist() == [6.0, 2.9]
    for figure in (small, large):
        figure.draw_without_rendering()
        parts = [*figure.texts, *figure.legends, *(ax.title for ax in figure.axes)]
        boxes = [part.get_window_extent() for part in parts]
        assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
        assert all(box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes)
        [legend] = figure.legends
        assert legend.get_window_extent().x0 > max(ax.get_window_extent().x1 for ax in figure.axes)
        title, subtitle = (
            next(text for text in figure.texts if text.get_text() == what) for what in ("A title", "of what")
        )
        assert title.get_window_extent().y0 > subtitle.get_window_extent().y1
        assert subtitle.get_window_extent().y0 > max(ax.get_window_extent().y1 for ax in figure.axes)
