"""Flags of what the quantizer is trained to minimize."""

import argparse
from typing import Any

from training.cli import numbers

_DRAWS = "2:8 3:1 4:4 6:1 8:3 12:1 16:3 32:2 64:1 128:0.2 256:0.2"


def drawn_colors(args: argparse.Namespace) -> dict[str, Any]:
    """What K is drawn from, and how often, as fields of a configuration."""
    draws = dict(sorted(args.colors))
    return {"colors": tuple(draws), "weights": tuple(draws.values())}


def _draw(text: str) -> tuple[int, float]:
    colors, _, weight = text.partition(":")
    return int(numbers.COLORS(colors)), numbers.WEIGHT(weight or "1")


def add_objective_flags(parser: argparse.ArgumentParser) -> None:
    """What is minimized, how, and from where."""
    parser.add_argument(
        "--start", help="published quantizer to start from, which also is built upon its own classifier"
    )
    parser.add_argument("--lr", type=numbers.WEIGHT, default=2e-3, help="peak learning rate of AdamW (%(default)s)")
    parser.add_argument("--weight-decay", type=numbers.WEIGHT, default=1e-4, help="of AdamW (%(default)s)")
    parser.add_argument(
        "--colors",
        type=_draw,
        nargs="+",
        metavar="K:WEIGHT",
        default=[_draw(text) for text in _DRAWS.split()],
        help=f"numbers of colors and how often a batch gets each ({_DRAWS})",
    )
    parser.add_argument(
        "--soft", type=numbers.SHARE, default=0.8, help="part of the run with soft images (%(default)s)"
    )
    parser.add_argument(
        "--hard-colors", type=numbers.COUNT, default=16, help="from this K on images are hard (%(default)s)"
    )
    parser.add_argument(
        "--contrast", type=numbers.POSITIVE, default=4.0, help="soft images: what contrast is divided by (%(default)s)"
    )
    parser.add_argument(
        "--jitter", type=numbers.WEIGHT, default=1.0, help="soft images: brightness shift, in std (%(default)s)"
    )
    parser.add_argument(
        "--distillation",
        type=numbers.SHARE,
        default=0.5,
        help="0: learn from labels, 1: from the classifier's answer to the original (%(default)s)",
    )
    parser.add_argument(
        "--regularisation", type=numbers.WEIGHT, default=1.0, help="weight of the paper's R (%(default)s)"
    )
    parser.add_argument(
        "--error", type=numbers.WEIGHT, default=1.0, help="weight of the squared error at large K (%(default)s)"
    )
    parser.add_argument(
        "--rate", type=numbers.WEIGHT, default=0.0, help="weight of unequal neighbors and of edges (%(default)s)"
    )
    parser.add_argument("--crop", type=numbers.FROM_ZERO, default=4, help="random shift in pixels (%(default)s)")
