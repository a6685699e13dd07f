"""The page for everybody: keyboard, screen readers, small and large windows, light and dark; its policy; its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.images import PHOTOGRAPH, encoded, ramp
from tests.service.processes import Server, serving
from tests.service.web.conftest import KEY
from tests.service.web.visitor import Visitor

Visit = Callable[..., Visitor]

NAME = "a-picture-with-a-name-that-is-longer-than-most-names.png"
PICTURE = {"name": NAME, "mimeType": "image/png", "buffer": PHOTOGRAPH}
WIDTHS = (360, 480, 768, 999, 1000, 1280, 1600)


def violations(visitor: Visitor) -> list[str]:
    """Return what axe finds, one line for each rule and element."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    visitor.page.add_script_tag(path=Path(axe.__file__).parent / "axe.min.js")
    found = visitor.page.evaluate("axe.run().then(({ violations }) => violations)")
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Visit, scheme: str) -> None:
    visitor = visit(bypass_csp=True, color_scheme=scheme, reduced_motion="reduce")
    assert violations(visitor) == []

    visitor.pick(PICTURE)
    for selector in ("#more-methods", "#palette-group", "#more-group", "#compare details"):
        visitor[f"{selector} > summary"].first.click()
    visitor["#compare-methods input"].evaluate_all(
        "(boxes) => boxes.slice(2).forEach((box) => { box.checked = false; })"
    )
    visitor["#compare-start"].click()
    visitor["#plot svg"].first.wait_for()
    visitor.until(lambda: visitor["#compare-stop"].is_hidden())
    visitor.give({**PICTURE, "buffer": b""})
    visitor["#message .message"].wait_for()
    assert violations(visitor) == []


def test_nothing_is_wider_than_the_window(visit: Visit) -> None:
    visitor = visit("#colors=64", viewport={"width": WIDTHS[0], "height": 800})
    wide = "document.documentElement.scrollWidth"
    for width in WIDTHS:
        visitor.page.set_viewport_size({"width": width, "height": 800})
        assert visitor.page.evaluate(wide) <= width

    visitor.pick(PICTURE)
    for selector in ("#methods-group", "#palette-group", "#more-group"):
        visitor[selector].evaluate("(group) => { group.open = true; }")
    for width in WIDTHS:
        visitor.page.set_viewport_size({"width": width, "height": 800})
        assert visitor.page.evaluate(wide) <= width
        box = visitor["#controls"].bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width


def test_the_page_works_with_the_keyboard_alone(visit: Visit) -> None:
    visitor = visit()
    keys = visitor.page.keyboard

    def focused() -> str:
        return str(visitor.page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id"))

    visitor["#samples button"].first.wait_for()
    for _ in range(12):
        keys.press("Tab")
        if focused() == "Cat":
            break
    keys.press("Enter")
    visitor.wait_for_result()
    assert visitor.page.evaluate("document.activeElement.id") == "viewer-title"

    reached = set()
    for _ in range(60):
        keys.press("Tab")
        reached.add(visitor.page.evaluate("document.activeElement.id"))
    expected = {"stage", "divider", "zoom", "as-seen", "with-map", "colors-slider", "auto", "model", "download", "code"}
    assert expected <= reached
    assert "compare-start" in reached


def test_a_result_is_announced(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(PICTURE)

    region = visitor["#announcement"]
    assert region.get_attribute("aria-live") == "polite"
    report = visitor.report()
    size = len(report["png"]) * 3 // 4
    text = visitor.text("#announcement")
    assert text.startswith(f"Result: {len(report['palette'])} colors, ") and abs(size - int(text.split()[3])) < 3
    assert report["recognition"]["after"]["label"] in text


def test_dark_and_light_follow_the_system(visit: Visit) -> None:
    def background(scheme: str) -> str:
        visitor = visit(color_scheme=scheme)
        return str(visitor["body"].evaluate("(body) => getComputedStyle(body).backgroundColor"))

    assert (background("light"), background("dark")) == ("rgb(246, 245, 242)", "rgb(19, 20, 23)")


def test_reduced_motion_stops_the_spinner(visit: Visit) -> None:
    visitor = visit(reduced_motion="reduce")

    seconds = visitor["#working .spinner"].evaluate(
        "(spinner) => parseFloat(getComputedStyle(spinner).animationDuration)"
    )

    assert seconds < 0.001


def test_nothing_comes_from_another_host(visit: Visit) -> None:
    visitor = visit()
    addresses: list[str] = []
    visitor.page.on("request", lambda request: addresses.append(request.url))
    visitor.page.reload()

    visitor.pick(PICTURE)

    assert len(addresses) > 20
    assert [each for each in addresses if not each.startswith((visitor.url, "blob:", "data:"))] == []


def test_a_large_picture_that_takes_long_can_be_scaled_down(visit: Visit) -> None:
    visitor = visit()
    held: list[Any] = []
    visitor.page.route("**/quantize", lambda route: route.continue_() if held else held.append(route))
    visitor.page.clock.install()
    visitor.give({**PICTURE, "buffer": encoded(ramp(2400, 500))})

    def has_waited() -> bool:
        visitor.page.clock.run_for(600)
        return visitor["#quicker"].is_visible()

    visitor.until(has_waited)
    assert visitor.text("#working-text").startswith("Working, ")
    visitor["#quicker"].click()
    visitor.page.clock.run_for(1000)

    visitor.wait_for_result()
    assert dict(visitor.quantized()[-1]["fields"])["max_side"] == "1600"
    assert visitor.report()["width"] == 1600
    held[0].abort()


def test_a_busy_service_is_asked_again_after_the_time_that_it_names(visit: Visit) -> None:
    visitor = visit()
    visitor.expected = ["503"]
    answers: list[int] = []

    def busy_once(route: Any) -> None:
        answers.append(1)
        if len(answers) > 1:
            route.continue_()
            return
        problem = '{"type": "urn:colorcnn:problem:queue-full", "title": "Full", "status": 503, "detail": "Later."}'
        route.fulfill(status=503, headers={"Retry-After": "1"}, content_type="application/problem+json", body=problem)

    visitor.page.route("**/quantize", busy_once)
    visitor.give(PICTURE)

    visitor.until(lambda: "trying again in 1 s" in visitor.text("#working-text"))
    visitor.wait_for_result()
    assert len(answers) == 2
    assert visitor["#message .message"].count() == 0


def test_a_service_that_starts_is_asked_until_it_is_ready(visit: Visit) -> None:
    visitor = visit()
    visitor.expected = ["503"]
    answers: list[int] = []

    def starting(route: Any) -> None:
        answers.append(1)
        if len(answers) > 2:
            route.continue_()
        else:
            route.fulfill(status=503, headers={"Retry-After": "1"}, body="{}")

    visitor.page.route("**/models", starting)
    visitor.page.reload()
    visitor["#starting"].wait_for()
    visitor.pick(PICTURE)

    assert len(answers) == 3
    assert visitor["#starting"].is_hidden()


def test_a_service_that_is_gone_is_one_message_with_a_way_to_try_again(visit: Visit) -> None:
    visitor = visit()
    visitor.expected = ["ERR_FAILED"]
    visitor.pick(PICTURE)
    visitor.page.route("**/quantize", lambda route: route.abort())

    visitor["#colors-slider"].fill("0")
    visitor["#message .message"].wait_for()
    assert visitor.text("#message strong") == "The service does not respond"

    visitor.page.unroute("**/quantize")
    visitor["#message .button:has-text('Try again')"].click()
    visitor["#message .message"].wait_for(state="detached")
    visitor.until(lambda: visitor.text("#tag-after") == "2 colors")


def test_a_message_is_in_view_wherever_the_page_is_scrolled_to(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(PICTURE)
    visitor["#compare-start"].scroll_into_view_if_needed()

    visitor.give({**PICTURE, "buffer": b""})

    visitor["#message .message"].wait_for()
    box = visitor["#message .message"].bounding_box()
    assert visitor.page.evaluate("scrollY") > 0
    assert box and 0 <= box["y"] < 400


def test_foreign_text_is_never_markup(visit: Visit) -> None:
    visitor = visit()

    visitor.pick({**PICTURE, "name": "<img src=x onerror=alert(1)>.png"})

    assert visitor["img[src=x]"].count() == 0
    assert "<img src=x" in visitor.text("#code")


@pytest.fixture(scope="module")
def locked_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that demands a key."""
    with serving("tests.service.fake_server", tmp_path_factory.mktemp("locked") / "log", api_keys=KEY) as server:
        server.wait_until_ready()
        yield server


def test_a_service_with_keys_is_used_with_a_key_that_the_tab_forgets(visit: Visit, locked_site: Server) -> None:
    visitor = visit(server=locked_site)
    visitor.expected = ["401 (Unauthorized)"]

    visitor["#key"].fill("a-wrong-key-of-some-length")
    visitor["#key-dialog button[type=submit]"].click()
    visitor.until(lambda: "does not accept this key" in visitor.text("#key-text"))
    visitor["#key"].fill(KEY)
    visitor["#key-dialog button[type=submit]"].click()
    visitor.pick(PICTURE)

    assert visitor.quantized()[-1]["headers"]["Authorization"] == f"Bearer {KEY}"
    assert visitor.page.evaluate("[localStorage.length, document.cookie, sessionStorage.length]") == [0, "", 1]
    assert KEY not in visitor.page.url
    assert '"Authorization: Bearer $COLORCNN_API_KEY"' in visitor.text("#code")
    assert KEY not in visitor.text("#code")


def test_without_a_key_the_page_says_what_it_needs(visit: Visit, locked_site: Server) -> None:
    visitor = visit(server=locked_site)
    visitor.expected = ["401 (Unauthorized)"]

    visitor["#key-cancel"].click()

    visitor["#message .message"].wait_for()
    assert visitor.text("#message strong") == "The request needs an API key"
    assert visitor["#key-button"].is_visible()
