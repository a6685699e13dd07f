"""Each plot of a comparison shows the values of its name."""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.evaluation.compare import Summary
from models.report.comparison_plots import bytes_over_psnr, kept_over_colors, top1_over_colors, top1_over_rate

FOUR = Summary(
    method="median_cut_dither",
    model=None,
    colors=4,
    images=10,
    kept=0.5,
    top1=0.25,
    bytes=300.0,
    bits_per_pixel=2.5,
    payload_bits_per_pixel=2.0,
    psnr=20.0,
    ssim=0.5,
    colors_used=4.0,
    milliseconds=1.0,
)
TWO = replace(FOUR, colors=2, kept=0.4, top1=0.125, bytes=200.0, bits_per_pixel=1.5, payload_bits_per_pixel=1, psnr=10)
JPEG = replace(FOUR, method="jpeg", colors=None, quality=30)
PNG = replace(FOUR, method="truecolor_png", colors=None, psnr=None)
ROWS = (FOUR, TWO, JPEG, PNG)


def lines(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each line by its label."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in figure.axes[0].get_lines():
        points: NDArray[np.float64] = np.column_stack([line.get_xdata(), line.get_ydata()])
        found[str(line.get_label())] = [(x, y) for x, y in points.tolist()]
    return found


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_accuracy_plot_shows_palettes_only() -> None:
    assert lines(top1_over_colors(ROWS, "10 images", None)) == {"median cut + dither": [(1, 12.5), (2, 25)]}


def test_the_kept_plot_shows_kept_predictions_over_bits() -> None:
    assert lines(kept_over_colors(ROWS, "10 images")) == {"median cut + dither": [(1, 40), (2, 50)]}


def test_the_rate_plots_show_top1_over_file_and_payload() -> None:
    whole, payload = (lines(top1_over_rate(ROWS, "10 images", None, payload=part)) for part in (False, True))

    assert whole == {"median cut + dither": [(1.5, 12.5), (2.5, 25)], "JPEG": [(2.5, 25)], "24-bit PNG": [(2.5, 25)]}
    assert payload["median cut + dither"] == [(1, 12.5), (2, 25)]


def test_bytes_over_psnr_leaves_out_exact_files() -> None:
    found = lines(bytes_over_psnr(ROWS, "10 images"))

    assert found == {"median cut + dither": [(10, 200), (20, 300)], "JPEG": [(20, 300)]}


def test_points_are_marked_with_the_values_that_the_subtitle_names() -> None:
    separate = replace(JPEG, psnr=35.0)

    assert {"2", "4", "30"} <= set(words(bytes_over_psnr((TWO, FOUR, separate), "")))
    assert "10 images; numbers: colors, or quality of JPEG and WebP" in words(bytes_over_psnr(ROWS, "10 images"))
    assert "10 images; numbers: colors" in words(bytes_over_psnr((TWO, FOUR), "10 images"))


def test_the_originals_have_a_horizontal_line() -> None:
    figure = top1_over_colors(ROWS, "10 images", 0.9)

    assert "originals: 90.0 %" in words(figure)
    assert [90, 90] in [[y for _, y in points] for points in lines(figure).values()]


def test_a_number_of_colors_that_is_no_power_of_two_lies_between_two_ticks() -> None:
    axes = kept_over_colors([replace(FOUR, colors=3)], "1 image").axes[0]

    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2\n1 bit", "4\n2 bits"]
    assert axes.get_xlim()[0] <= 1 and axes.get_xlim()[1] >= 2


def test_the_top1_plot_needs_labels() -> None:
    assert lines(top1_over_colors([replace(FOUR, top1=None)], "1 image", None)) == {}
