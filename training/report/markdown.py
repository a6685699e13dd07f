"""Tables in Markdown."""

from collections.abc import Sequence

NONE = "-"
"""Cell for a missing value."""


def table(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table of text cells; every line has as many cells as the heading."""
    head, *body = (f"| {' | '.join(line)} |" for line in (heading, *lines))
    return "\n".join([head, f"|{'---|' * len(heading)}", *body])


def cell(value: float | None, form: str, none: str = NONE) -> str:
    """Return `value` in the format `form`, such as "{:.1f}"; `none` for None."""
    return none if value is None else form.format(value)
