"""The options: what each control sends, what a move aborts, and the permalink."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.service.images import PHOTOGRAPH
from tests.service.processes import Server
from tests.service.web.visitor import Visitor

Visit = Callable[..., Visitor]

PICTURE = {"name": "ramp.png", "mimeType": "image/png", "buffer": PHOTOGRAPH}


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    """A visitor with a picture."""
    visitor = visit()
    visitor.pick(PICTURE)
    return visitor


def pressed(visitor: Visitor, selector: str) -> dict[str, Any]:
    """Press a control, and return the options of the request that follows."""
    count = len(visitor.quantized())
    with visitor.page.expect_response("**/quantize"):
        visitor[selector].click()
    return visitor.fields(count)


def test_the_slider_has_the_powers_of_two(visitor: Visitor) -> None:
    slider = visitor["#colors-slider"]

    for position, colors in enumerate(["2", "4", "8", "16", "32", "64", "128", "256"]):
        sent = {} if colors == "4" else {"colors": colors}  # no request needs to send the default
        assert visitor.change("#colors-slider", str(position)) == sent
        assert slider.get_attribute("aria-valuetext") == f"{colors} colors"
        assert visitor["#colors-number"].input_value() == colors


def test_the_field_takes_any_number(visitor: Visitor) -> None:
    assert visitor.change("#colors-number", "13") == {"colors": "13"}
    assert visitor["#colors-slider"].input_value() == "3"


def test_quick_moves_make_one_request(visitor: Visitor) -> None:
    before = len(visitor.quantized())
    slider = visitor["#colors-slider"]
    slider.focus()

    with visitor.page.expect_response("**/quantize"):
        for _ in range(6):
            slider.press("ArrowRight")

    assert visitor.fields(before) == {"colors": "256"}
    assert len(visitor.quantized()) == before + 1


def test_a_move_aborts_the_request_before_it(visitor: Visitor) -> None:
    held: list[Any] = []
    failed: list[str] = []
    visitor.page.on("requestfailed", lambda request: failed.append(request.failure or ""))
    visitor.page.route("**/quantize", lambda route: held.append(route) if not held else route.continue_())

    visitor["#colors-slider"].fill("0")
    visitor.until(lambda: held)
    visitor["#working"].wait_for()
    assert visitor["#stage"].get_attribute("aria-busy") == "true"
    assert visitor.change("#colors-slider", "4") == {"colors": "32"}

    visitor.until(lambda: failed)
    assert failed == ["net::ERR_ABORTED"]
    held[0].abort()
    visitor.wait_for_result()
    assert visitor.text("#tag-after") == f"{len(visitor.report()['palette'])} colors"


def test_each_method_is_a_button_with_its_line_of_advice(visitor: Visitor, site: Server) -> None:
    visitor["#more-methods summary"].click()
    methods = httpx.get(f"{site.url}/models").json()["method_details"]
    assert visitor["input[name=method]"].count() == len(methods) + 1

    for method in methods:
        choice = visitor[f".choice:has(input[value={method['name']}])"]
        assert choice.is_visible()
        assert method["description"][1:].replace("`", "") in (choice.text_content() or "")
    assert pressed(visitor, ".choice:has(input[value=median_cut])") == {"method": "median_cut"}
    assert visitor.text("#method-value") == "median cut"
    assert visitor.report()["method"] == "median_cut"


def test_an_option_is_sent_only_to_methods_that_support_it(visitor: Visitor) -> None:
    assert visitor.change("#fidelity", "0.5") == {"fidelity": "0.5"}
    assert visitor.text("#fidelity-text") == "0.5"

    visitor["#more-methods summary"].click()
    assert pressed(visitor, ".choice:has(input[value=octree])") == {"method": "octree"}
    assert not visitor["#fidelity-field"].is_visible()
    assert visitor["#model"].is_disabled()
    assert "octree works without a recognizer" in visitor.text("#model-hint")

    assert pressed(visitor, ".choice:has(input[value=refined])") == {"method": "refined", "fidelity": "0.5"}


def test_the_recognizer_menu_has_what_the_method_can_use(visitor: Visitor) -> None:
    def menu() -> list[str]:
        return visitor["#model option"].all_text_contents()

    assert menu() == ["Automatic", "brightness", "second", "gray-steps"]
    pressed(visitor, ".choice:has(input[value=refined])")
    assert menu() == ["Automatic", "brightness", "second"]
    count = len(visitor.quantized())
    with visitor.page.expect_response("**/quantize"):
        visitor["#model"].select_option("brightness")
    assert visitor.fields(count) == {"method": "refined", "model": "brightness"}
    assert visitor.report()["recognition"]["model"] == "brightness"

    assert pressed(visitor, ".choice:has(input[value=colorcnn])") == {"method": "colorcnn"}
    assert menu() == ["Automatic", "gray-steps"]


def test_dither_is_offered_to_the_methods_that_have_it(visitor: Visitor) -> None:
    visitor["#more-group > summary"].click()
    count = len(visitor.quantized())
    with visitor.page.expect_response("**/quantize"):
        visitor["#dither"].select_option("false")
    assert visitor.fields(count) == {"dither": "false"}
    assert visitor.text("#more-value") == "1 changed"


def chosen(visitor: Visitor, selector: str, value: str) -> dict[str, Any]:
    """Choose a value of a menu, and return the options of the request that follows."""
    count = len(visitor.quantized())
    with visitor.page.expect_response("**/quantize"):
        visitor[selector].select_option(value)
    return visitor.fields(count)


def test_auto_finds_the_fewest_colors_that_keep_the_label(visitor: Visitor) -> None:
    assert pressed(visitor, "#auto") == {"colors": "auto"}
    assert visitor["#colors-slider"].is_disabled()
    assert visitor.report()["goals_met"] is True
    assert visitor.change("#keep", "0.8") == {"colors": "auto", "keep": "0.8"}
    assert visitor.text("#keep-text") == "80 %"

    assert pressed(visitor, "#auto") == {}
    assert visitor["#colors-number"].input_value() == "4"
    assert not visitor["#keep-row"].is_visible()


def test_an_own_palette_is_typed_or_chosen_by_name(visitor: Visitor, site: Server) -> None:
    visitor["#palette-group > summary"].click()
    assert visitor.change("#palette", "#000, fff,#f00") == {"palette": "#000, fff,#f00"}
    assert visitor["#palette-preview .patch"].count() == 3
    assert (visitor.text("#palette-value"), visitor["#colors-slider"].is_disabled()) == ("3 colors", True)

    palettes = httpx.get(f"{site.url}/models").json()["palettes"]
    assert visitor["#named option"].count() == len(palettes) + 1
    assert chosen(visitor, "#named", "gameboy") == {"palette": "gameboy"}
    assert visitor["#palette"].input_value() == "gameboy"

    assert pressed(visitor, ".choice:has(input[value=nearest])") == {"palette": "gameboy", "method": "nearest"}
    assert pressed(visitor, ".choice:has(input[value=kmeans])") == {"method": "kmeans"}
    assert "k-means makes its own palette" in visitor.text("#palette-unused")


def test_a_palette_that_cannot_be_is_marked_and_not_sent(visitor: Visitor) -> None:
    visitor["#palette-group > summary"].click()
    count = len(visitor.quantized())

    for text in ("#000", "#000,#000", "#000,red", "no-such-name", "#12,#345"):
        visitor["#palette"].fill(text)
        assert visitor["#palette"].get_attribute("aria-invalid") == "true"

    assert visitor.change("#colors-slider", "0") == {"colors": "2"}
    assert len(visitor.quantized()) == count + 1


def test_transparency_is_kept_or_filled_with_a_background(visit: Visit) -> None:
    visitor = visit()
    visitor["#samples button"].nth(2).click()
    visitor.wait_for_result()
    assert visitor.report()["alpha"] is not None
    clear = (0, 0, 0, 0)
    corner = (0.5, 0, 0.5, 1)
    assert clear in visitor.pixels("#after", corner)

    visitor["#more-group > summary"].click()
    assert pressed(visitor, "#alpha-field input[value=flatten]") == {"alpha": "flatten"}
    visitor.wait_for_result()
    assert visitor.report()["alpha"] is None
    assert visitor.change("#background", "#336699") == {"alpha": "flatten", "background": "#336699"}
    visitor.wait_for_result()
    assert visitor.text("#more-value") == "2 changed"


def test_the_side_and_the_bytes_have_limits(visitor: Visitor) -> None:
    visitor["#more-group > summary"].click()

    assert visitor.change("#max_side", "45") == {"max_side": "45"}
    assert visitor.report()["width"] == 45
    assert not visitor["#scale-row"].is_visible()
    assert visitor.change("#max_bytes", "5000") == {"max_side": "45", "max_bytes": "5000"}
    assert pressed(visitor, "#scale") == {"max_side": "45", "max_bytes": "5000", "scale": "auto"}
    assert visitor.report()["bytes"] <= 5000


def test_what_does_not_fit_is_said(visitor: Visitor) -> None:
    visitor.expected = ["422"]
    visitor["#more-group > summary"].click()

    visitor.change("#max_bytes", "10")

    visitor["#message .message"].wait_for()
    assert "10 bytes" in visitor.text("#message p") or "max_bytes" in visitor.text("#message p")
    visitor["#max_bytes"].fill("")
    visitor["#message .message"].wait_for(state="detached")


def test_reset_goes_back_to_the_defaults(visitor: Visitor) -> None:
    visitor.change("#colors-slider", "0")

    assert pressed(visitor, "#reset") == {}
    assert visitor["#colors-slider"].input_value() == "1"


def test_the_address_holds_the_options_and_restores_them(visit: Visit, visitor: Visitor) -> None:
    visitor.change("#colors-slider", "2")
    visitor.change("#fidelity", "0.25")
    link = visitor.page.url
    assert link.endswith("/#colors=8&fidelity=0.25")

    again = visit(link.removeprefix(visitor.url)[1:])
    assert again["#colors-slider"].input_value() == "2"
    again.pick(PICTURE)
    assert dict(again.quantized()[0]["fields"]) == {"file": "ramp.png", "colors": "8", "fidelity": "0.25"}


def test_a_copied_link_restores_the_options(visit: Visit) -> None:
    visitor = visit("#method=kmeans&colors=16")

    visitor.pick(PICTURE)
    visitor["#copy-link"].click()

    assert visitor.page.evaluate("navigator.clipboard.readText()") == f"{visitor.url}/#colors=16&method=kmeans"


BAD_FRAGMENTS = ("colors=1", "colors=300&fidelity=2", "nothing=1", "method=<b>", "%ff", "fidelity=NaN")


def test_a_fragment_that_names_no_valid_option_is_ignored(visit: Visit) -> None:
    visitor = visit("#colors=16&method=kmeans")

    for fragment in BAD_FRAGMENTS:
        visitor.page.evaluate(f"location.hash = {fragment!r}")
        visitor.until(lambda: visitor["#colors-number"].input_value() == "4")
        assert visitor.text("#method-value") == "Automatic"
        visitor.page.evaluate("location.hash = 'colors=16'")
        visitor.until(lambda: visitor["#colors-number"].input_value() == "16")


def test_a_changed_fragment_changes_the_options(visitor: Visitor) -> None:
    with visitor.page.expect_response("**/quantize"):
        visitor.page.evaluate("location.hash = '#colors=64'")

    assert visitor["#colors-number"].input_value() == "64"
