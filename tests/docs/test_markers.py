"""docs/generator/markers.py: generated parts are found and replaced, everything else stays."""

import pytest

from docs.generator.markers import Marker, MarkerError, fill, markers_of, prose

BLOCK = '<!-- begin: table a "Top-1 in %" -->\nold\n<!-- end -->'
VALUE = "It keeps <!-- value: percent a:b.c -->old<!-- end --> of them."


def test_a_block_is_replaced_between_blank_lines() -> None:
    assert fill(f"# Head\n\n{BLOCK}\n", lambda marker: "new") == (
        '# Head\n\n<!-- begin: table a "Top-1 in %" -->\n\nnew\n\n<!-- end -->\n'
    )


def test_a_value_is_replaced_inside_its_sentence() -> None:
    assert fill(VALUE, lambda marker: "new") == VALUE.replace("old", "new")


def test_filling_twice_changes_nothing() -> None:
    once = fill(f"{BLOCK}\n\n{VALUE}\n", lambda marker: "new")
    assert fill(once, lambda marker: "new") == once


def test_words_are_split_as_a_shell_splits_them() -> None:
    assert markers_of(f"{BLOCK}\n{VALUE}") == [
        Marker(("table", "a", "Top-1 in %"), inline=False),
        Marker(("percent", "a:b.c"), inline=True),
    ]


@pytest.mark.parametrize("code", [f"```\n{BLOCK}\n```", f"`{VALUE}`"])
def test_markers_in_code_are_not_replaced(code: str) -> None:
    assert markers_of(code) == []
    assert fill(code, lambda marker: "new") == code


@pytest.mark.parametrize("text", ["<!-- end -->", "<!-- begin: table a -->\nrest", "a <!-- value: percent b -->\n"])
def test_a_marker_without_its_counterpart_is_an_error(text: str) -> None:
    with pytest.raises(MarkerError, match="no counterpart"):
        fill(text, lambda marker: "new")


def test_a_value_at_the_start_of_a_line_is_an_error() -> None:
    with pytest.raises(MarkerError, match="may not begin with a value"):
        fill("Two\n<!-- value: percent a:b.c -->old<!-- end -->", lambda marker: "new")


def test_prose_excludes_code_and_generated_parts() -> None:
    assert prose(f"{BLOCK}\n{VALUE} `x = 1`") == "\nIt keeps  of them. "
