"""Numbers on a command line, refused where they are given if no run could do with them."""

import argparse
import math
from dataclasses import dataclass

from models.quantizers.base import MAX_COLORS, MIN_COLORS


@dataclass(frozen=True)
class Number:
    """The `type` of a flag of argparse: int or float as `kind` says, finite, from `least` to `most`.

    beyond: `least` itself is refused too.
    """

    kind: type[int] | type[float]
    least: float
    most: float = math.inf
    beyond: bool = False

    def __call__(self, text: str) -> int | float:
        """Raises argparse.ArgumentTypeError, which ends a script with what the flag must be."""
        try:
            value = self.kind(text)
        except ValueError:
            value = math.nan
        above = value > self.least if self.beyond else value >= self.least
        if not (above and value <= self.most and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"must be {self._wanted()}, not {text!r}")
        return value

    def _wanted(self) -> str:
        kind = "a whole number" if self.kind is int else "a number"
        if self.most < math.inf:
            return f"{kind} from {self.least} to {self.most}"
        return f"{kind} above {self.least}" if self.beyond else f"{kind}, {self.least} or more"


COUNT = Number(int, 1)
"""Images, epochs, channels, processes."""
FROM_ZERO = Number(int, 0)
"""Pixels of a shift or a square, rounds: what may be none."""
COLORS = Number(int, MIN_COLORS, MAX_COLORS)
"""K, the number of colors."""
WEIGHT = Number(float, 0)
"""Of a term of a loss, a rate, a factor."""
POSITIVE = Number(float, 0, beyond=True)
"""What something is divided by."""
SHARE = Number(float, 0, 1)
"""Of a whole."""
