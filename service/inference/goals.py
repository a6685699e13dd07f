"""Search for the number of colors and the scale that reach the goals of a request: recognition, and bytes of the file.

The search knows no images. It calls `attempt` with a number of colors and a scale, and compares the outcomes.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from models.quantizers.base import MAX_COLORS, MIN_COLORS
from service.errors import DoesNotFit

_STEPS_OF_SCALE = 6
_FIRST_SHRINK = 0.97  # below the scale that bytes in proportion to the pixels suggest, so that the first try may fit
_SMALLEST_SCALE = 1 / 256


class Outcome(Protocol):
    """What one attempt returns."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    @property
    def share(self) -> float | None:
        """Probability of the original label after quantization divided by that before; 0 where another label is the
        most probable, None where nothing was classified."""


Tried = TypeVar("Tried", bound=Outcome)
Attempt = Callable[[int, float], Awaitable[Tried]]
"""Quantizes to at most so many colors at that scale."""


@dataclass(frozen=True)
class Goals:
    """Goals of a request. keep: least share of the probability of the label. max_bytes: most bytes of the file.

    colors: the numbers of colors that the search may select from, in ascending order. scales: whether it may shrink.
    """

    colors: Sequence[int]
    keep: float | None = None
    max_bytes: int | None = None
    scales: bool = False

    def fits(self, outcome: Outcome) -> bool:
        """Return whether the file has few enough bytes."""
        return self.max_bytes is None or outcome.size <= self.max_bytes

    def keeps(self, outcome: Outcome) -> bool:
        """Return whether the label and enough of its probability stay."""
        return self.keep is None or (outcome.share is not None and outcome.share >= self.keep)

    def are_met(self, outcome: Outcome) -> bool | None:
        """Return whether an outcome reaches all goals; None without a goal."""
        if self.keep is None and self.max_bytes is None:
            return None
        return self.fits(outcome) and self.keeps(outcome)


def any_number(most: int = MAX_COLORS) -> Sequence[int]:
    """Return the numbers of colors up to `most`."""
    return range(MIN_COLORS, most + 1)


class GoalSearch(Generic[Tried]):
    """The search for one image. scale: the one that the request asks for, from which a search over scales begins."""

    def __init__(self, goals: Goals, attempt: Attempt[Tried], scale: float = 1.0) -> None:
        self._goals = goals
        self._attempt = attempt
        self._scale = scale

    async def run(self, *, fewest: bool) -> Tried:
        """Return the best outcome.

        fewest: whether fewer colors are better. The outcome is then the one of the fewest colors that keep the label;
        otherwise that of the most colors. Either has the most colors that fit, where it would not fit.

        The search takes for granted that more colors keep more and need more bytes. Where no number of colors keeps
        the label, it returns the most colors.

        Raises:
            DoesNotFit: no number of colors fits, at no scale that the search may use.
        """
        outcome = await (self._fewest_that_keep() if fewest else self._at(len(self._goals.colors) - 1))
        if self._goals.fits(outcome):
            return outcome
        return await self._most_that_fit()

    async def _at(self, position: int) -> Tried:
        return await self._attempt(self._goals.colors[position], self._scale)

    async def _fewest_that_keep(self) -> Tried:
        """Double the number of colors until the label is kept, then search between the last two numbers."""
        colors = self._goals.colors
        low, high = -1, 0  # positions: the last one that loses the label, and the one to try
        outcome = await self._at(high)
        while not self._goals.keeps(outcome) and high < len(colors) - 1:
            low, high = high, min(len(colors) - 1, _position(colors, 2 * colors[high]))
            outcome = await self._at(high)
        if not self._goals.keeps(outcome):
            return outcome
        while high - low > 1:
            middle = (low + high) // 2
            tried = await self._at(middle)
            if self._goals.keeps(tried):
                high, outcome = middle, tried
            else:
                low = middle
        return outcome

    async def _most_that_fit(self) -> Tried:
        """Search the most colors that fit, or shrink the image where the fewest do not."""
        low, high = 0, len(self._goals.colors)
        best = await self._at(low)
        if not self._goals.fits(best):
            return await self._shrunk(best)
        while high - low > 1:
            middle = (low + high) // 2
            tried = await self._at(middle)
            if self._goals.fits(tried):
                low, best = middle, tried
            else:
                high = middle
        return best

    async def _shrunk(self, smallest: Tried) -> Tried:
        """Return the outcome that keeps most of the label among several numbers of colors, each as large as fits."""
        if not self._goals.scales:
            raise DoesNotFit(
                f"The smallest file has {smallest.size} bytes, more than max_bytes={self._goals.max_bytes}. Raise "
                "`max_bytes`, or ask for scale=auto or a smaller `max_side`."
            )
        found = [await self._largest(colors) for colors in _few(self._goals.colors)]
        fitting = [outcome for outcome in found if outcome is not None]
        if not fitting:
            raise DoesNotFit(f"No picture fits into max_bytes={self._goals.max_bytes}; raise it.")
        return max(fitting, key=lambda outcome: outcome.share or 0.0)  # the first one, without a classifier

    async def _largest(self, colors: int) -> Tried | None:
        """Search the largest scale at which the file fits; None where it fits at none."""
        limit = self._goals.max_bytes or 0
        low, high, best = 0.0, self._scale, None
        outcome = await self._attempt(colors, high)
        scale = high * math.sqrt(limit / outcome.size) * _FIRST_SHRINK
        for _ in range(_STEPS_OF_SCALE):
            if scale < _SMALLEST_SCALE:
                break
            outcome = await self._attempt(colors, scale)
            if self._goals.fits(outcome):
                low, best = scale, outcome
            else:
                high = scale
            scale = _between(low, high, scale * math.sqrt(limit / outcome.size))
        return best


def _position(colors: Sequence[int], wanted: int) -> int:
    return next((position for position, each in enumerate(colors) if each >= wanted), len(colors) - 1)


def _few(colors: Sequence[int]) -> list[int]:
    """Return the powers of two among numbers of colors up to 16, or the only number."""
    return [each for each in colors if each in (2, 4, 8, 16)] or [colors[0]]


def _between(low: float, high: float, guess: float) -> float:
    """Return a guess inside an interval; its middle where the guess lies outside or at an end."""
    margin = (high - low) / 8
    return min(max(guess, low + margin), high - margin)
