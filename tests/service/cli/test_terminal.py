"""Lines and summaries of a run: which stream they go to, and what is left out."""

from __future__ import annotations

import json

import pytest

from service.cli import terminal
from service.cli.outcome import Outcome, Status
from service.cli.terminal import Terminal

DONE, LARGER, SHORT, FAILED = (Outcome(status.value, status, "text") for status in Status)


def of(*, json: bool = False, quiet: bool = False, on_stderr: bool = False) -> Terminal:
    return Terminal(json=json, quiet=quiet, on_stderr=on_stderr, verb="written")


def test_success_goes_to_stdout_and_all_else_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    shown = of()
    for outcome in (DONE, LARGER, SHORT, FAILED):
        shown.show(outcome)

    out, err = capsys.readouterr()
    assert (out, err) == ("done: text\n", "larger: text\nshort: text\nfailed: text\n")


def test_lines_go_to_stderr_where_stdout_carries_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    shown = of(on_stderr=True)
    shown.show(DONE)

    assert capsys.readouterr() == ("", "done: text\n")


def test_json_goes_to_stdout_also_for_failures(capsys: pytest.CaptureFixture[str]) -> None:
    shown = of(json=True, quiet=True)
    for outcome in (DONE, FAILED):
        shown.show(outcome)

    out, err = capsys.readouterr()
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["done", "failed"] and err == ""


def test_a_quiet_run_shows_failures_alone(capsys: pytest.CaptureFixture[str]) -> None:
    shown = of(quiet=True)
    for outcome in (DONE, SHORT):
        shown.show(outcome)

    assert capsys.readouterr() == ("", "short: text\n")


@pytest.mark.parametrize(
    ("outcomes", "existing", "left", "line"),
    [
        ([], 0, 0, ""),
        ([DONE], 0, 0, ""),
        ([FAILED], 0, 0, ""),
        ([DONE, DONE], 0, 0, "2 written\n"),
        ([DONE, FAILED, SHORT, LARGER], 0, 0, "1 written; 1 failed; 1 fell short; 1 would be larger\n"),
        ([], 1, 0, "0 written; 1 left out, because their output exists (--force replaces it)\n"),
        ([DONE], 0, 1, "1 written; 1 left; the same command goes on with them\n"),
        ([DONE] * 1000, 0, 2000, "1,000 written; 2,000 left; the same command goes on with them\n"),
    ],
)
def test_the_summary_counts_what_became_of_several_images(
    outcomes: list[Outcome], existing: int, left: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = of(json=True)
    for outcome in outcomes:
        shown.show(outcome)
    shown.summarize(existing, left)

    assert capsys.readouterr().err == line
    assert shown.counts.total() == len(outcomes)


def test_nothing_is_left_unless_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    of().summarize(0)

    assert capsys.readouterr().err == ""


class Screen:
    """A stderr that says whether it is a terminal."""

    def __init__(self, is_terminal: bool) -> None:
        self.text = ""
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...


@pytest.mark.parametrize(("total", "is_terminal", "bar"), [(2, True, True), (1, True, False), (2, False, False)])
def test_a_bar_is_for_several_images_on_a_terminal(
    total: int, is_terminal: bool, bar: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", Screen(is_terminal))
    shown = of(quiet=True)

    with shown.progress(total):
        assert (shown._bar is not None) is bar
        if shown._bar:
            assert (shown._bar.tasks[0].total, shown._bar.live.transient) == (total, True)
            shown.show(DONE)
            assert (shown._bar.tasks[0].completed, shown._bar.tasks[0].fields["rate"]) == (1, "-")
    assert shown._bar is None


@pytest.mark.parametrize("is_terminal", [True, False])
def test_work_without_a_bar_is_announced_on_a_terminal(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(is_terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", screen)

    with terminal.waiting("Comparing"):
        pass

    assert ("Comparing" in screen.text) is is_terminal
