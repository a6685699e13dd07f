"""Tables in Markdown."""

from collections.abc import Sequence


def table(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Cells of text, a line for each row."""
    head, *body = (f"| {' | '.join(line)} |" for line in (heading, *lines))
    return "\n".join([head, f"|{'---|' * len(heading)}", *body])
