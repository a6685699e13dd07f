"""Lines, JSON objects and exit status of outcomes."""

import json

import pytest

from service.cli.outcome import Outcome, Status, exit_status, failed, saving
from service.client import BadImage, DoesNotFit


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        ([Status.DONE], 0),
        ([Status.DONE, Status.LARGER], 98),
        ([Status.LARGER, Status.SHORT, Status.DONE], 99),
        ([Status.LARGER, Status.FAILED, Status.SHORT], 1),
    ],
)
def test_the_worst_result_is_the_exit_status(statuses: list[Status], code: int) -> None:
    assert exit_status(statuses) == code


def test_an_outcome_is_one_line_whatever_the_name() -> None:
    outcome = Outcome("a\nb\x1b[31m.png", Status.DONE, "two\nlines", "out\r.png", {"bytes": 3})
    assert outcome.line() == r"a\nb\x1b[31m.png -> out\r.png: two lines"
    assert json.loads(outcome.json()) == {
        "file": "a\nb\x1b[31m.png",
        "status": "done",
        "output": "out\r.png",
        "bytes": 3,
    }
    assert "\n" not in outcome.json()
    assert Outcome("-", Status.DONE, "fine", "-").line() == "-: fine"


def test_errors_become_outcomes() -> None:
    problem = failed("a.png", BadImage("No image.", request_id="7"))
    assert problem.status is Status.FAILED and problem.facts["error"]["request_id"] == "7"
    assert problem.line() == "a.png: No image."
    assert failed("a.png", DoesNotFit("Too small.")).status is Status.SHORT
    assert failed("a.png", FileNotFoundError(2, "No such file", "a.png")).line() == "a.png: No such file"
    assert failed("a.png", OSError(28, "No space left", "out/b.png")).line() == "a.png: No space left: out/b.png"
    assert failed("a.png", ValueError("odd")).line() == "a.png: ValueError: odd"


def test_sizes_are_compared_in_percent() -> None:
    assert saving(1000, 250) == "1,000 -> 250 bytes (-75 %)"
    assert saving(0, 250) == "0 -> 250 bytes"
