"""The stage: divider, zoom, pan, and what the recognizer sees."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.service.images import encoded, ramp
from tests.service.web.visitor import Visitor

Visit = Callable[..., Visitor]

WIDE = {"name": "ramp.png", "mimeType": "image/png", "buffer": encoded(ramp(1200, 800))}
TWO_COLORS = "#colors=2&method=median_cut"


def divider(visitor: Visitor) -> int:
    return int(visitor["#divider"].get_attribute("aria-valuenow") or -1)


def test_the_arrow_keys_move_the_divider(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(WIDE)
    handle = visitor["#divider"]
    assert (handle.get_attribute("role"), divider(visitor)) == ("slider", 50)

    for key, value in [("ArrowRight", 52), ("ArrowLeft", 50), ("PageUp", 60), ("Home", 0), ("End", 100)]:
        handle.press(key)
        assert divider(visitor) == value
    assert handle.get_attribute("aria-valuetext") == "100 % original"
    box, stage = handle.bounding_box(), visitor["#stage"].bounding_box()
    assert box and stage
    assert box["x"] + box["width"] / 2 == pytest.approx(stage["x"] + stage["width"] - 1, abs=2)


def test_the_mouse_drags_the_divider(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(WIDE)
    box, stage = visitor["#divider"].bounding_box(), visitor["#stage"].bounding_box()
    assert box and stage
    mouse = visitor.page.mouse

    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(stage["x"] + stage["width"] / 4, box["y"] + 10)
    mouse.up()

    assert divider(visitor) == 25


def test_a_finger_drags_the_divider(visit: Visit) -> None:
    visitor = visit(has_touch=True, viewport={"width": 400, "height": 800})
    visitor.pick(WIDE)
    stage = visitor["#stage"].bounding_box()
    assert stage
    client = visitor.page.context.new_cdp_session(visitor.page)

    def touch(kind: str, *xs: float) -> None:
        points = [{"x": stage["x"] + x * stage["width"], "y": stage["y"] + stage["height"] / 2} for x in xs]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.5)
    touch("touchMove", 0.6)
    touch("touchMove", 0.8)
    touch("touchEnd")

    assert divider(visitor) == pytest.approx(80, abs=1)


def test_two_fingers_zoom(visit: Visit) -> None:
    visitor = visit(has_touch=True, viewport={"width": 400, "height": 800})
    visitor.pick(WIDE)
    stage = visitor["#stage"].bounding_box()
    assert stage
    client = visitor.page.context.new_cdp_session(visitor.page)
    visitor["#zoom-in"].click()  # two fingers on the whole picture may scroll the page

    def touch(kind: str, *xs: float) -> None:
        points = [{"x": stage["x"] + x, "y": stage["y"] + 50, "id": number} for number, x in enumerate(xs)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 40, 140)  # beside the divider
    touch("touchMove", 30, 150)
    touch("touchMove", 15, 165)
    touch("touchEnd")

    assert float(visitor["#zoom"].input_value()) == pytest.approx(1.5 * 1.5, abs=0.2)


def test_enlarged_pixels_stay_sharp(visit: Visit) -> None:
    visitor = visit(TWO_COLORS)
    visitor.pick(WIDE)
    palette = {tuple(bytes.fromhex(color[1:])) for color in visitor.report()["palette"]}

    visitor["#zoom"].fill("16")
    visitor.settle()

    assert visitor.text("#zoom-text") != "100 %"
    assert visitor.paper()[2] > 10_000
    assert {color[:3] for color in visitor.pixels("#after")} <= palette  # no mixture of two colors


def test_keys_zoom_from_1_to_16(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(WIDE)

    for keys, zoom in (("+", 1.5), ("++-", 1.5), ("+0", 1.0), ("-", 1.0), ("+" * 12, 16.0)):
        visitor["#stage"].press("0")
        for key in keys:
            visitor["#stage"].press(key)
        visitor.settle()
        assert float(visitor["#zoom"].input_value()) == zoom


def test_buttons_zoom_to_single_pixels_and_back(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(WIDE)

    visitor["#zoom-actual"].click()
    visitor.settle()
    assert (visitor.text("#zoom-text"), visitor.paper()[2]) == ("100 %", 1200)

    visitor["#zoom-fit"].click()
    visitor.settle()
    stage = visitor["#stage"].bounding_box()
    assert stage and visitor.paper()[2] <= stage["width"]


def test_the_enlarged_picture_is_moved_by_pointer_and_keys_and_leaves_no_gap(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(WIDE)
    visitor["#zoom"].fill("4")
    visitor.settle()
    left, top, width, height = visitor.paper()
    stage = visitor["#stage"].bounding_box()
    assert stage
    mouse = visitor.page.mouse

    mouse.move(stage["x"] + 50, stage["y"] + 50)
    mouse.down()
    mouse.move(stage["x"] + 90, stage["y"] + 70)
    mouse.up()
    visitor.settle()
    assert visitor.paper() == pytest.approx((left + 40, top + 20, width, height))

    visitor["#stage"].press("ArrowLeft")
    visitor.settle()
    assert visitor.paper()[0] == pytest.approx(left + 80)
    for _ in range(60):
        visitor["#stage"].press("ArrowLeft")
    visitor.settle()
    assert visitor.paper()[0] == 0


def test_the_recognizer_sees_both_pictures_at_the_size_of_its_input(visit: Visit) -> None:
    visitor = visit(TWO_COLORS)
    visitor.pick(WIDE)
    before = visitor.paper()
    assert before[2] / before[3] == pytest.approx(1.5)

    visitor["#as-seen"].check()
    visitor.until(lambda: visitor.paper()[2] == visitor.paper()[3])

    _, _, width, _ = visitor.paper()
    assert width % 32 == 0  # 32 x 32 pixels of the input of the fake classifier
    assert len(visitor.pixels("#before")) <= 32 * 32 + 1
    assert len(visitor.pixels("#after")) <= 32 * 32 + 1


def test_activation_maps_of_both_pictures_cover_the_stage(visit: Visit) -> None:
    visitor = visit(TWO_COLORS)
    visitor.pick(WIDE)
    plain = visitor.pixels("#after")
    index = visitor.report()["recognition"]["before"]["index"]

    with visitor.page.expect_response("**/classify"):
        visitor["#with-map"].check()
    visitor.until(lambda: len(visitor.pixels("#after")) > 2 * len(plain))

    requests = visitor.sent("/classify")
    names = [dict(each["fields"])["file"] for each in requests]
    assert sorted(names) == ["ramp-k2.png", "ramp.png"]
    assert all(each["headers"]["Accept"] == "image/png" for each in requests)
    assert all(dict(each["fields"])["cam"] == str(index) for each in requests)

    visitor["#with-map"].uncheck()
    visitor.until(lambda: visitor.pixels("#after") == plain)
