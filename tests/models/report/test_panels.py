"""A grid of plots: each panel has its title and points, all share their axes, and the legend has each label once."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

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


def test_the_parts_have_their_places_in_inches() -> None:
    """Margins of 0.75 on the left, 2.2 on the right, 0.95 above and 0.6 below."""
    for rows, columns in ((1, 1), (2, 3)):
        figure = grid_of(rows, columns)
        width, height = figure.get_size_inches()
        boxes = [ax.get_position() for ax in figure.axes]
        assert (width, height) == pytest.approx((2.95 + 3 * columns, 1.55 + 2.9 * rows))
        assert min(box.x0 for box in boxes) * width == pytest.approx(0.75)
        assert (1 - max(box.x1 for box in boxes)) * width == pytest.approx(2.2)
        assert (1 - max(box.y1 for box in boxes)) * height == pytest.approx(0.95)
        assert min(box.y0 for box in boxes) * height == pytest.approx(0.6)
        places = {text.get_text(): text.get_position() for text in figure.texts}
        assert places["A title"] == pytest.approx((0.75 / width, 1 - 0.2 / height))
        assert places["of what"] == pytest.approx((0.75 / width, 1 - 0.5 / height))
        assert places["kept"][0] == pytest.approx(0.15 / width)
        [legend] = figure.legends
        anchor = legend.get_bbox_to_anchor().transformed(figure.transFigure.inverted())
        assert (anchor.x0, anchor.y0) == pytest.approx((1 - 2.1 / width, 1 - 0.95 / height))
        assert (legend.get_frame_on(), legend.handlelength, legend.labelspacing) == (False, 2.8, 0.8)


def test_gaps_between_panels_are_small() -> None:
    boxes = [ax.get_position() for ax in grid_of(2, 2).axes]

    assert (boxes[1].x0 - boxes[0].x1) / boxes[0].width == pytest.approx(0.08)
    assert (boxes[0].y0 - boxes[2].y1) / boxes[0].height == pytest.approx(0.2)


def test_letters_have_their_sizes() -> None:
    figure = grid_of(1, 1)
    sizes = {text.get_text(): text.get_fontsize() for text in figure.texts}

    assert sizes == {"A title": 12, "of what": 8, "bits": 9, "kept": 9}
    [title] = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_text() == "00")
    assert isinstance(title, Text)
    assert title.get_fontsize() == 9
    assert next(text for text in figure.texts if text.get_text() == "of what").get_color() == "#777777"


def test_marks_are_written_in_every_panel() -> None:
    figure = grid_of(2, 2)

    assert all({text.get_text() for text in ax.texts} == {"2", "4", "8"} for ax in figure.axes)
    assert {ax.get_yscale() for ax in figure.axes} == {"linear"}


def test_a_row_of_another_length_is_refused() -> None:
    one = Panel("", [KMEANS])
    with pytest.raises(ValueError, match="shorter"):
        panels([[one, one], [one]], title="", subtitle="", x_label="", y_label="")
