"""Plots contain their data as text and as points, and the same data give the same bytes."""

import io
import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from models.names import METHOD_NAMES
from models.report import plots
from models.report.plots import Level, Series, line_plot, png, svg

CURVE = Series("octree", (1.0, 2.0, 4.0), (20.0, 50.0, 80.0), ("2", "4", "8"))
OTHER = Series("ColorCNN", (1.0, 2.0, 4.0), (85.0, 88.0, 90.0), ("2", "4", "8"))


def plot(*series: Series, level: Level | None = None, log_x: bool = False) -> Figure:
    return line_plot(
        series, title="A title", subtitle="of <what> & $x_", x_label="bits", y_label="top-1", level=level, log_x=log_x
    )


def texts(figure: Figure) -> list[str]:
    """Every text of the SVG, in the order of the file."""
    root = ElementTree.fromstring(svg(figure))
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def color_of(figure: Figure, label: str) -> str:
    [line] = [line for line in figure.axes[0].get_lines() if line.get_label() == label]
    return str(line.get_color())


def test_points_are_drawn_at_their_values() -> None:
    [line] = plot(CURVE).axes[0].get_lines()

    assert np.array_equal(line.get_xydata(), np.column_stack([CURVE.x, CURVE.y]))


@pytest.mark.parametrize("log_x", [False, True])
def test_labels_are_svg_text_and_the_legend_is_sorted_from_the_highest_line(log_x: bool) -> None:
    found = texts(plot(CURVE, OTHER, level=Level("originals: 90 %", 90), log_x=log_x))

    assert {"A title", "of <what> & $x_", "bits", "top-1", "originals: 90 %"} <= set(found)
    assert found.index("ColorCNN") < found.index("octree")
    assert [found.count(mark) for mark in ("4", "8")] >= [2, 2]


def test_a_mark_without_room_is_left_out() -> None:
    crowd = [Series(f"{i}", (1 + i / 1e4, 2.0), (1.0, 2.0), ("mark", "")) for i in range(9)]

    assert 1 <= texts(plot(*crowd)).count("mark") < 9


def test_a_label_has_one_color_everywhere() -> None:
    unknown = Series("a method of tomorrow", CURVE.x, CURVE.y, CURVE.marks)

    for series in (CURVE, unknown):
        assert color_of(plot(series), series.label) == color_of(plot(OTHER, series), series.label)
    assert color_of(plot(CURVE), "octree") != color_of(plot(OTHER), "ColorCNN")


def test_equal_data_give_equal_bytes() -> None:
    assert svg(plot(CURVE)) == svg(plot(CURVE))
    assert png(plot(CURVE)) == png(plot(CURVE))


def test_the_svg_needs_nothing_outside_its_page() -> None:
    text = svg(plot(CURVE))

    assert text.startswith("<svg ")
    # Nothing but references inside the file and the names of namespaces.
    assert set(re.findall(r'href="(.)', text)) == {"#"}
    assert set(re.findall(r'\S*="http[^"]*"', text)) == set(re.findall(r'xmlns\S*="http[^"]*"', text))


def test_the_png_is_an_indexed_picture_with_the_color_of_the_line() -> None:
    with Image.open(io.BytesIO(png(plot(OTHER)))) as picture:
        assert (picture.mode, picture.size) == ("P", (1600, 900))
        colors = picture.convert("RGB").getcolors(1600 * 900)
    assert colors is not None and (0xD5, 0x5E, 0x00) in [color for _, color in colors]


def test_given_ticks_are_drawn() -> None:
    figure = line_plot([CURVE], title="", subtitle="", x_label="", y_label="", x_ticks={0: "none", 5: "five"})
    low, high = figure.axes[0].get_xlim()

    assert {"none", "five"} <= set(texts(figure))
    assert low <= 0 and high >= 5


def test_large_numbers_are_abbreviated() -> None:
    figure = line_plot(
        [Series("octree", (20.0, 30.0), (9e5, 2.2e6), ("", ""))],
        title="",
        subtitle="",
        x_label="",
        y_label="",
        log_y=True,
    )

    assert {"1,000k", "2,000k"} <= set(texts(figure))


def test_a_plot_without_data_is_drawn() -> None:
    assert texts(plot(Series("octree", (), (), ()), log_x=True))


def test_series_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="octree: 1 x, 2 y and 1 marks"):
        Series("octree", (1.0,), (1.0, 2.0), ("",))


def test_percentages_end_at_100() -> None:
    def top(percent: bool) -> float:
        line = [Series("octree", (1.0, 2.0), (100.0, 100.0), ("", ""))]
        figure = line_plot(line, title="", subtitle="", x_label="", y_label="", percent=percent)
        return float(figure.axes[0].get_ylim()[1])

    assert top(False) > 101 == top(True)


def test_texts_and_axes_do_not_overlap_and_lie_inside_the_figure() -> None:
    figure = plot(CURVE, OTHER, level=Level("originals: 90 %", 90))
    figure.draw_without_rendering()
    [axes] = figure.axes
    legend = axes.get_legend()
    subtitle = next(text for text in axes.texts if text.get_text() == "of <what> & $x_")
    title = next(each for each in axes.get_children() if getattr(each, "get_text", str)() == "A title")
    boxes = {
        "title": title.get_window_extent(),
        "subtitle": subtitle.get_window_extent(),
        "axes": axes.get_window_extent(),
        "legend": legend.get_window_extent() if legend else figure.bbox,
        "x": axes.xaxis.label.get_window_extent(),
        "y": axes.yaxis.label.get_window_extent(),
    }

    assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes.values())
    assert all(box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 for box in boxes.values())
    assert boxes["title"].y0 > boxes["subtitle"].y1 > boxes["subtitle"].y0 > boxes["axes"].y1
    assert boxes["legend"].x0 > boxes["axes"].x1
    assert boxes["x"].y1 < boxes["axes"].y0 and boxes["y"].x1 < boxes["axes"].x0


def test_marks_cover_neither_each_other_nor_a_line() -> None:
    figure = plot(CURVE, OTHER)
    figure.draw_without_rendering()
    [axes] = figure.axes
    marks = [text.get_window_extent() for text in axes.texts if text.get_text() in ("2", "4", "8")]

    assert len(marks) == 6
    assert not any(one.overlaps(other) for at, one in enumerate(marks) for other in marks[:at])
    for line in axes.get_lines():
        points = axes.transData.transform(np.asarray(line.get_xydata()))
        between = np.concatenate([np.linspace(a, b, 50) for a, b in itertools.pairwise(points)])
        assert not any(box.contains(x, y) for box in marks for x, y in between)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.5, "0.5"), (9999, "9,999"), (10_000, "10k"), (-10_000, "-10k"), (2_500_000, "2,500k"), (1.0, "1")],
)
def test_numbers_at_ticks_are_short(value: float, text: str) -> None:
    figure = line_plot([CURVE], title="", subtitle="", x_label="", y_label="")

    assert figure.axes[0].xaxis.get_major_formatter()(value) == text


def test_our_method_is_thicker_and_a_variant_is_dashed_and_hollow() -> None:
    def line(label: str) -> Line2D:
        [drawn] = plot(Series(label, (1.0, 2.0), (1.0, 2.0), ("", ""))).axes[0].get_lines()
        return drawn

    ours, theirs, variant = line("ColorCNN"), line("median cut"), line("median cut + dither")
    assert ours.get_linewidth() > theirs.get_linewidth() == variant.get_linewidth()
    assert (theirs.get_linestyle(), variant.get_linestyle()) == ("-", "--")
    assert (theirs.get_markerfacecolor(), variant.get_markerfacecolor()) == (theirs.get_color(), "white")
    assert theirs.get_color() == variant.get_color() != ours.get_color()
    [point] = plot(Series("octree", (1.0,), (1.0,), ("",))).axes[0].get_lines()
    assert point.get_linestyle() == "None"


def test_percentages_begin_at_zero() -> None:
    line = [Series("octree", (1.0, 2.0), (0.0, 50.0), ("", ""))]
    figure = line_plot(line, title="", subtitle="", x_label="", y_label="", percent=True)

    assert figure.axes[0].get_ylim()[0] == -1


def test_no_two_methods_share_color_width_and_dashes() -> None:
    styles = {label: plots._style(label) for label in METHOD_NAMES.values()}
    looks = [(style.color, style.width, style.dashed) for style in styles.values()]

    assert len(set(looks)) == len(looks)
