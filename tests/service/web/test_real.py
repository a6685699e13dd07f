"""The page in front of the shipped networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.processes import Server, serving
from tests.service.web.visitor import Visitor

Visit = Callable[..., Visitor]

CAT = Path(__file__).parents[2] / "photos" / "cat.jpg"
LABELS = ("tiger cat", "balloon", "analog clock")


@pytest.fixture(scope="module")
def real_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service with the shipped networks."""
    with serving("service", tmp_path_factory.mktemp("real") / "log") as server:
        server.wait_until_ready()
        yield server


def test_a_photograph_is_recognized_in_two_colors_and_seen_as_the_recognizer_sees_it(
    visit: Visit, real_site: Server
) -> None:
    visitor = visit("#colors=2", server=real_site)
    visitor.pick(CAT)

    report = visitor.report()
    assert (report["method"], len(report["palette"])) == ("refined_fast", 2)
    assert "still tiger cat" in visitor.text("#verdict")
    assert visitor.paper()[2] / visitor.paper()[3] == pytest.approx(451 / 300)

    visitor["#as-seen"].check()
    visitor.until(lambda: visitor.paper()[2] == visitor.paper()[3])
    assert visitor.paper()[2] % 224 == 0  # the input of EfficientNet-Lite0
    plain = visitor.pixels("#before")

    with visitor.page.expect_response("**/classify"):
        visitor["#with-map"].check()
    visitor.until(lambda: visitor.pixels("#before") != plain)


def test_a_named_palette_is_that_of_the_result(visit: Visit, real_site: Server) -> None:
    visitor = visit("#palette=gameboy", server=real_site)

    visitor.pick(CAT)

    assert visitor.report()["palette"] == ["#0f380f", "#306230", "#8bac0f", "#9bbc0f"]


def test_the_samples_are_recognized_before_and_after(visit: Visit, real_site: Server) -> None:
    visitor = visit(server=real_site)

    for index, label in enumerate(LABELS):
        visitor["#samples button"].nth(index).click()
        visitor.wait_for_result()
        recognition = visitor.report()["recognition"]
        assert (recognition["before"]["label"], recognition["after"]["label"]) == (label, label)
        visitor.page.reload()
