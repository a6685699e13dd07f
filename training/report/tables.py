"""Tables of an evaluation in Markdown, from its JSON file alone.

python -m training.report.tables --results docs/results/data/cifar10.json
"""

from collections.abc import Sequence
from pathlib import Path

from training.cli import command_line
from training.options import Options
from training.report.kinds import tables
from training.report.reading import read_together

__all__ = ["main", "tables"]


class TablesOptions(Options):
    """Print the tables of an evaluation in Markdown."""

    results: Path
    """JSON file of an evaluation."""
    beside: tuple[Path, ...] = ()
    """JSON files whose rows are added."""


def main(argv: Sequence[str] | None = None) -> str:
    """Print every table under its title; return the printed text."""
    options = command_line.parse(TablesOptions, "training.report.tables", argv)
    report = read_together(options.results, options.beside)
    text = "\n\n".join(f"{title}:\n\n{body}" for title, body in tables(report).items())
    print(text)
    return text


if __name__ == "__main__":
    command_line.run(main)
