"""Plots contain their data as text and as points, and the same data give the same bytes."""

import io
import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
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


VERMILION, BLUE, GREEN, PURPLE, ORANGE, SKY = "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
GRAY, BLACK = "#777777", "#000000"

# The look of each label: its color and its marker. Both are the same in every figure that has been published.
LOOKS = {
    "ColorCNN": (VERMILION, "o"),
    "ColorCNN, one pass": (VERMILION, "o"),
    "ColorCNN, refined": (PURPLE, "*"),
    "ColorCNN, as a code": (GREEN, "*"),
    "ColorCNN as published": (VERMILION, "o"),
    "median cut": (BLUE, "s"),
    "median cut + dither": (BLUE, "s"),
    "median cut by error": (PURPLE, "s"),
    "octree": (GREEN, "^"),
    "octree, nearest entry": (GREEN, "^"),
    "maximum coverage": (PURPLE, "D"),
    "k-means": (ORANGE, "v"),
    "k-means in OKLab": (ORANGE, "v"),
    "Wu": (SKY, "P"),
    "Wu, nearest entry": (ORANGE, "P"),
    "libimagequant": (BLACK, "X"),
    "refined": (BLUE, "o"),
    "refined, few steps": (BLUE, "o"),
    "refined, one pass": (SKY, "o"),
    "refined, no dither": (SKY, "o"),
    "halftone": (GREEN, "h"),
    "nearest color": (SKY, "P"),
    "Floyd-Steinberg (Pillow)": (PURPLE, "D"),
    "JPEG": (GRAY, "<"),
    "WebP": (GRAY, ">"),
    "AVIF": (BLACK, "d"),
    "JPEG XL": (GRAY, "p"),
    "BPG": (BLACK, "D"),
    "24-bit PNG": (GRAY, "*"),
    "originals": (BLACK, "X"),
    "2 colors": (VERMILION, "o"),
    "4 colors": (ORANGE, "v"),
    "8 colors": (GREEN, "^"),
    "16 colors": (SKY, "P"),
    "32 colors": (BLUE, "s"),
    "before": (BLUE, "s"),
    "fine-tuned": (VERMILION, "o"),
}
SOLID = {
    "ColorCNN",
    "ColorCNN, refined",
    "ColorCNN, as a code",
    "median cut",
    "octree",
    "maximum coverage",
    "k-means",
    "Wu",
    "libimagequant",
} | {
    *("refined", "refined, no dither", "JPEG", "24-bit PNG", "originals", "fine-tuned"),
    *(f"{colors} colors" for colors in (2, 4, 8, 16, 32)),
}
THICK = {"ColorCNN", "ColorCNN, one pass", "ColorCNN, refined", "24-bit PNG", "BPG", "JPEG XL", "originals"} | {
    *("refined", "refined, few steps", "refined, one pass", "refined, no dither", "fine-tuned"),
    *("median cut by error", "octree, nearest entry", "Wu, nearest entry", "ColorCNN, as a code"),
}


@pytest.mark.parametrize("label", LOOKS)
def test_every_label_keeps_its_look(label: str) -> None:
    style = plots._style(label)

    assert (style.color, style.marker) == LOOKS[label]
    assert (style.dashed, style.width) == (label not in SOLID, 2.8 if label in THICK else 1.6)
    assert LOOKS.keys() == plots._STYLES.keys()


def test_a_line_is_drawn_in_its_style() -> None:
    [thin, thick] = plot(Series("octree", *CURVE_POINTS), OTHER).axes[0].get_lines()
    [dashed] = plot(Series("halftone", *CURVE_POINTS)).axes[0].get_lines()

    assert [line.get_markersize() for line in (thin, thick)] == pytest.approx([5.4, 7.2])
    assert {line.get_markeredgewidth() for line in (thin, thick, dashed)} == {1}
    assert thick.get_zorder() > thin.get_zorder() > 2 > 1  # thick lines lie above, and all of them above the level
    assert dashed._dash_pattern[1] == pytest.approx([4 * 1.6, 2 * 1.6])  # type: ignore[attr-defined]


CURVE_POINTS = (CURVE.x, CURVE.y, CURVE.marks)


def test_a_level_is_a_thin_dotted_line_below_the_others_with_its_label_above_it() -> None:
    figure = plot(CURVE, level=Level("originals", 60))
    [axes] = figure.axes
    [level] = [line for line in axes.get_lines() if line.get_label() != "octree"]
    [text] = [text for text in axes.texts if text.get_text() == "originals"]

    assert (level.get_linewidth(), level.get_zorder(), level.get_color()) == (1, 1, "#333333")
    assert level._dash_pattern[1] == [1, 2]  # type: ignore[attr-defined]
    assert text.get_position() == (0.012, 60) and text.get_verticalalignment() == "bottom"
    assert text.get_fontsize() == 8


def test_letters_have_their_sizes() -> None:
    figure = plot(CURVE)
    [axes] = figure.axes
    [title] = axes.findobj(lambda artist: isinstance(artist, Text) and artist.get_text() == "A title")
    assert isinstance(title, Text)
    subtitle = next(text for text in axes.texts if text.get_text() == "of <what> & $x_")

    sizes = [axes.xaxis.label.get_fontsize(), axes.xaxis.get_ticklabels()[0].get_fontsize()]
    assert sizes == [9, 9]
    assert (title.get_fontsize(), title.get_fontweight()) == (11, "bold")
    assert (subtitle.get_fontsize(), subtitle.get_color(), subtitle.get_position()) == (8, "#777777", (0, 1.035))
    assert {text.get_fontsize() for text in axes.texts if text.get_text() in ("2", "4", "8")} == {6.5}


def test_the_frame_has_two_sides_a_light_grid_and_short_ticks() -> None:
    figure = plot(CURVE)
    [axes] = figure.axes

    assert figure.get_size_inches().tolist() == [8.0, 4.5]
    assert axes.get_position().bounds == pytest.approx((0.1, 0.13, 0.655, 0.74))
    assert [axes.spines[side].get_visible() for side in ("left", "bottom", "top", "right")] == [
        True,
        True,
        False,
        False,
    ]
    assert axes.get_axisbelow() is True
    [line, *_] = axes.get_xgridlines()
    assert (line.get_color(), line.get_linewidth(), line.get_visible()) == ("#e6e6e6", 0.8, True)
    assert {mark.get_markersize() for mark in axes.xaxis.get_ticklines()} == {3}
    low, high = axes.get_xlim()
    assert (1 - low, high - 4) == pytest.approx((0.12, 0.12))  # 4 % of 3 on each side
    assert axes.get_ylim() == pytest.approx((20 - 4.2, 80 + 4.2))  # 7 % of 60


def test_the_legend_is_left_of_the_edge_and_has_no_frame() -> None:
    legend = plot(CURVE, OTHER).axes[0].get_legend()
    assert legend is not None

    assert (legend.get_frame_on(), legend.handlelength, legend.labelspacing) == (False, 2.8, 0.8)
    box = legend.get_bbox_to_anchor().transformed(plot(CURVE).axes[0].transAxes.inverted())
    assert (box.x0, box.y0) == pytest.approx((1.01, 1.03), abs=1e-6)


def test_logarithmic_axes_have_ticks_at_one_two_and_five() -> None:
    axes = plot(CURVE, log_x=True).axes[0]

    assert [tick for tick in axes.get_xticks() if 1 <= tick <= 5] == pytest.approx([1, 2, 5])
    assert len(axes.get_xticks(minor=True)) == 0
    assert axes.get_yscale() == "linear"


def test_a_box_has_half_its_width_on_each_side() -> None:
    boxes = plots._around(np.array([[10.0, 20.0], [0.0, 5.0]]), 3)

    assert boxes.tolist() == [[[7, 17], [13, 23]], [[-3, 2], [3, 8]]]


@pytest.mark.parametrize(
    ("corners", "overlap"),
    [
        (((0, 0), (1, 1)), True),
        (((2, 0), (3, 1)), False),
        (((1.9, 1.9), (3, 3)), True),
        (((0, 2), (1, 3)), False),
        (((-1, -1), (0, 0)), False),
        (((-1, -1), (0.1, 0.1)), True),
        (((-1, 5), (9, 6)), False),
    ],
)
def test_boxes_overlap_where_they_share_an_area(corners: tuple[tuple[float, float], ...], overlap: bool) -> None:
    box, far = np.array([[0.0, 0.0], [2.0, 2.0]]), [[50.0, 50.0], [51.0, 51.0]]

    assert plots._overlaps(box, np.array([far, corners])) is overlap
    assert not plots._overlaps(box, np.empty((0, 2, 2)))


def test_a_mark_is_tried_above_below_beside_and_along_a_rising_line() -> None:
    """Letters of 6.5 points: a mark of two has half a width of 1 + 0.3 * 6.5 * 2, and half a height of 2.6."""
    boxes = [box.tolist() for box in plots._boxes("16", np.array([100.0, 50.0]))]

    half = np.array([4.9, 2.6])
    centers = [(100, 58), (100, 42), (108.9, 50), (91.1, 50), (92.1, 56), (107.9, 44)]
    assert boxes == [pytest.approx(np.array([np.array(at) - half, np.array(at) + half])) for at in centers]


def test_points_between_lie_on_the_line() -> None:
    between = plots._between(np.array([[0.0, 0.0], [10.0, 20.0], [20.0, 0.0]]))

    assert between.shape == (72, 2)
    assert between[[0, -1]].tolist() == [[0, 0], [20, 0]]
    assert np.allclose(between[:, 1], 20 - np.abs(20 - 2 * between[:, 0]))
    assert plots._between(np.empty((0, 2))).shape == (0, 2)
    assert plots._between(np.array([[3.0, 4.0]])).tolist() == [[3, 4]] * 24


def test_the_legend_counts_the_mean_of_a_line() -> None:
    falling = Series("Wu", (1.0, 2.0), (100.0, 0.0), ("", ""))
    level = Series("JPEG", (1.0, 2.0), (60.0, 60.0), ("", ""))
    legend = plot(falling, level, Series("AVIF", (), (), ())).axes[0].get_legend()

    assert legend is not None and [text.get_text() for text in legend.get_texts()] == ["JPEG", "Wu"]


def test_a_png_has_up_to_128_colors_and_the_pixels_of_200_dots_an_inch() -> None:
    lines = [Series(label, (1.0, 2.0), (1.0 + at, 2.0 + at), ("", "")) for at, label in enumerate(LOOKS)]
    with Image.open(io.BytesIO(png(plot(*lines)))) as picture:
        colors = picture.getcolors()

    assert colors is not None and 100 < len(colors) <= 128
