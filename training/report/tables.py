"""Print the tables of an evaluation in Markdown, from its JSON file alone.

python -m training.report.tables --results docs/results/data/cifar10.json
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from training.cli.arguments import command
from training.report.kinds import tables
from training.report.reading import read_together

__all__ = ["main", "tables"]


def main(argv: Sequence[str] | None = None) -> str:
    """Parse flags and print every table under its title; return the printed text."""
    args = _parser().parse_args(argv)
    report = read_together(args.results, args.beside)
    text = "\n\n".join(f"{title}:\n\n{body}" for title, body in tables(report).items())
    print(text)
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.report.tables", description="Print the tables of an evaluation in Markdown."
    )
    parser.add_argument("--results", type=Path, required=True, help="JSON file of an evaluation")
    parser.add_argument(
        "--beside", type=Path, nargs="+", default=[], metavar="FILE", help="JSON files whose rows are added"
    )
    return parser


if __name__ == "__main__":
    command(main)
