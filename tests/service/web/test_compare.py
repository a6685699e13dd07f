""" "Compare all methods": a grid that fills row by row, a plot, and a way to stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.service.images import PHOTOGRAPH, encoded, ramp
from tests.service.web.visitor import Visitor

Visit = Callable[..., Visitor]

DARK = {"name": "dark.png", "mimeType": "image/png", "buffer": PHOTOGRAPH}
LIGHT = {"name": "light.png", "mimeType": "image/png", "buffer": encoded(255 - ramp(90, 65) // 4)}
METHODS = ("refined_fast", "median_cut", "halftone")  # in the order of GET /models


def choose(visitor: Visitor, *, methods: tuple[str, ...] = METHODS, colors: tuple[int, ...] = (2, 16)) -> None:
    visitor["#compare details summary"].click()
    for box in visitor["#compare-methods input"].all():
        box.set_checked(box.get_attribute("value") in methods)
    for box in visitor["#compare-colors input"].all():
        box.set_checked(int(box.get_attribute("value") or 0) in colors)


def run(visitor: Visitor) -> None:
    visitor["#compare-start"].click()
    visitor.until(lambda: visitor["#compare-stop"].is_hidden())


def test_all_methods_are_compared_at_some_numbers_of_colors(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(DARK)

    boxes = visitor["#compare-methods input"]
    assert boxes.count() > 10
    assert all(box.is_checked() for box in boxes.all())
    checked = [box.get_attribute("value") for box in visitor["#compare-colors input:checked"].all()]
    assert checked == ["2", "4", "16"]


def test_the_grid_has_a_cell_with_a_picture_for_each_result_and_a_plot(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(DARK, LIGHT)
    choose(visitor)

    run(visitor)

    assert visitor.text("#compare-count") == "12 of 12"
    assert visitor["#grid tbody tr"].count() == len(METHODS)
    assert visitor["#grid td .cell"].count() == len(METHODS) * 2
    assert all(
        image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 80
        for image in visitor["#grid td img"].all()
    )
    assert "Original: dark" in visitor.text("#grid")
    assert visitor["#plot polyline"].count() == 2 * len(METHODS)  # of the lines, and of the legend
    assert visitor["#plot .legend li"].all_text_contents() == [" refined, few steps", " median cut", " halftone"]

    visitor["#compare-picture"].select_option("light.png")
    assert "Original: light" in visitor.text("#grid")
    assert visitor["#grid td .cell"].count() == len(METHODS) * 2


def test_a_cell_is_shown_on_the_stage(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(DARK)
    choose(visitor)
    run(visitor)
    count = len(visitor.quantized())

    with visitor.page.expect_response("**/quantize"):
        visitor['#grid [data-cell="0 median_cut 16"] button'].click()

    assert visitor.fields(count) == {"method": "median_cut", "colors": "16"}
    assert visitor["#colors-number"].input_value() == "16"


def test_rows_appear_while_later_ones_are_computed_and_stop_ends_them(visit: Visit, traps: Path) -> None:
    visitor = visit()
    visitor.pick(DARK)
    choose(visitor, methods=("median_cut", "refined_fast"), colors=(2, 32))
    trap = traps / "32"
    trap.write_text("hang")  # of the methods with a network, which come first
    try:
        visitor["#compare-start"].click()
        visitor.until(lambda: visitor["#grid td .cell"].count() == 1)
        visitor.until(lambda: trap.with_suffix(".sprung").exists())
        assert visitor["#grid .pending"].count() == 3
        assert visitor["#compare-start"].is_disabled()

        visitor["#compare-stop"].click()

        visitor.until(lambda: visitor["#compare-start"].is_enabled())
        assert visitor["#message .message"].count() == 0
        assert visitor["#grid td .cell"].count() == 1
    finally:
        trap.unlink()


def test_large_pictures_are_scaled_down_where_that_is_wanted(visit: Visit) -> None:
    visitor = visit()
    visitor.pick({**DARK, "buffer": encoded(ramp(1200, 800))})
    choose(visitor, methods=("median_cut",), colors=(2,))
    assert visitor["#compare-small"].is_checked()

    run(visitor)
    assert visitor["#grid td .cell"].count() == 1

    visitor["#compare-small"].uncheck()
    run(visitor)
    assert visitor["#grid td .cell"].count() == 1


def test_nothing_to_compare_is_said_without_a_request(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(DARK)
    choose(visitor, methods=())

    visitor["#compare-start"].click()

    assert visitor.text("#message strong") == "Nothing to compare"
    assert visitor.sent("/benchmark") == []
