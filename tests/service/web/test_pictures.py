"""Ways for pictures into the page, and what it says about pictures that do not fit."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service.images import PHOTOGRAPH, encoded, ramp
from tests.service.web.conftest import MAX_UPLOAD_BYTES
from tests.service.web.visitor import Visitor

Visit = Callable[..., Visitor]

PICTURE = {"name": "ramp.png", "mimeType": "image/png", "buffer": PHOTOGRAPH}

_TRANSFER = """(text) => {
  const data = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([data], "given.png", { type: "image/png" }));
  return transfer;
}"""


def test_a_picked_picture_is_quantized_at_once(visit: Visit) -> None:
    visitor = visit()
    assert visitor["#drop"].is_visible()

    visitor.pick(PICTURE)

    assert not visitor["#drop"].is_visible()
    assert visitor.report()["width"] == 90
    assert visitor.quantized()[0]["fields"] == [["file", "ramp.png"]]
    assert visitor.text("#announcement").startswith("Result: 4 colors, ")


def test_a_dropped_picture_is_quantized(visit: Visit) -> None:
    visitor = visit()
    transfer = visitor.page.evaluate_handle(_TRANSFER, base64.b64encode(PHOTOGRAPH).decode())

    visitor["body"].dispatch_event("dragover", {"dataTransfer": transfer})
    assert visitor["#veil"].is_visible()
    visitor["#drop"].dispatch_event("drop", {"dataTransfer": transfer})

    visitor.wait_for_result()
    assert not visitor["#veil"].is_visible()
    assert visitor.text("#download") == "Download given-k4.png"


def test_a_pasted_picture_is_quantized(visit: Visit) -> None:
    visitor = visit()
    paste = f"""(text) => document.dispatchEvent(new ClipboardEvent("paste",
      {{ clipboardData: ({_TRANSFER})(text), bubbles: true }}))"""

    visitor.page.evaluate(paste, base64.b64encode(PHOTOGRAPH).decode())

    visitor.wait_for_result()
    assert visitor.quantized()[0]["fields"] == [["file", "given.png"]]


def test_each_sample_is_quantized_by_one_press(visit: Visit) -> None:
    visitor = visit()
    buttons = visitor["#samples button"]
    assert buttons.count() == 3

    for index in range(3):
        buttons.nth(index).click()
        visitor.wait_for_result()
        assert visitor.report()["counts"]
        visitor.page.reload()


def test_several_pictures_are_shown_one_at_a_time(visit: Visit) -> None:
    visitor = visit()
    visitor.pick(PICTURE, {**PICTURE, "name": "second.png", "buffer": encoded(ramp(70, 100))})
    assert visitor.report()["width"] == 90
    thumbs = visitor["#strip button"]
    assert [thumbs.nth(index).get_attribute("aria-pressed") for index in range(2)] == ["true", "false"]

    with visitor.page.expect_response("**/quantize"):
        thumbs.nth(1).click()

    visitor.wait_for_result()
    assert visitor.report()["width"] == 70
    assert visitor.text("#download") == "Download second-k4.png"


def test_a_picture_that_the_browser_cannot_show_is_quantized_all_the_same(visit: Visit) -> None:
    visitor = visit()

    visitor.pick({"name": "ramp.tif", "mimeType": "image/tiff", "buffer": encoded(ramp(90, 65), "TIFF")})

    assert visitor.report()["width"] == 90
    assert visitor["#stage-note"].is_visible()
    assert not visitor["#divider"].is_visible()


def test_a_picture_beyond_the_limits_is_refused_before_it_is_sent(visit: Visit) -> None:
    visitor = visit()

    visitor.give({**PICTURE, "name": "big.png", "buffer": PHOTOGRAPH + bytes(MAX_UPLOAD_BYTES)})
    visitor["#message .message"].wait_for()
    assert visitor.text("#message strong") == "big.png is too large"
    assert "up to 1.00 MB" in visitor.text("#message p")

    visitor["#message button[aria-label]"].click()
    assert visitor["#message .message"].count() == 0
    visitor.give({**PICTURE, "name": "wide.png", "buffer": encoded(ramp(1500, 1100))})
    visitor["#message .message"].wait_for()
    assert visitor.text("#message p").startswith("It has 1.6 megapixels; this service accepts up to 1.5 megapixels.")
    assert visitor.quantized() == []


@pytest.mark.parametrize(
    ("file", "title"),
    [
        ({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}, "notes.txt is no picture"),
        ({"name": "none.png", "mimeType": "image/png", "buffer": b""}, "none.png is empty"),
    ],
)
def test_a_file_that_is_no_picture_is_refused_before_it_is_sent(
    visit: Visit, file: dict[str, object], title: str
) -> None:
    visitor = visit()

    visitor.give(file)

    visitor["#message .message"].wait_for()
    assert visitor.text("#message strong") == title
    assert visitor.quantized() == []


def test_the_answer_of_the_service_to_a_damaged_picture_is_shown(visit: Visit, tmp_path: Path) -> None:
    visitor = visit()
    visitor.expected = ["400 (Bad Request)"]

    visitor.give({"name": "half.png", "mimeType": "image/png", "buffer": PHOTOGRAPH[:200]})

    visitor["#message .message"].wait_for()
    assert visitor.text("#message strong") == "The upload is not a readable image"
    assert visitor["#message"].get_attribute("role") == "alert"
