"""Search for the number of colors and the scale that reach the goals of a request: recognition, and bytes of the file.

The search knows no images. It calls `attempt` with what to try, and compares the outcomes.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from models.quantizers.base import MAX_COLORS, MIN_COLORS
from service.errors import DoesNotFit

_STEPS_OF_SCALE = 6
_FULL_ENOUGH = 0.9  # share of the bytes that a scaled image must use for the search to end early
_SMALLEST_SCALE = 1 / 256


class Outcome(Protocol):
    """What one attempt returns."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    @property
    def kept(self) -> bool:
        """Whether the most probable class is still that of the original; false where nothing was classified."""

    @property
    def share(self) -> float:
        """Probability of that class after quantization divided by that before; 0 where nothing was classified."""


@dataclass(frozen=True)
class Trial:
    """What to try: at most so many colors, and the scale of the image.

    flat: whether its areas are flat, without dither. smooth: whether its index map is smoothed until the file fits.
    """

    colors: int
    scale: float
    flat: bool = False
    smooth: bool = False


Tried = TypeVar("Tried", bound=Outcome)
Attempt = Callable[[Trial], Awaitable[Tried]]


@dataclass(frozen=True)
class Goals:
    """Goals of a request, and what the search may change to reach them.

    colors: the numbers of colors that the search may select from, in ascending order. keep: least share of the
    probability of the label. max_bytes: most bytes of the file. flat: whether the search may leave out the dither that
    an image otherwise has. smooths: whether it may smooth an index map that does not fit in the fewest colors. scales:
    whether it may scale the image down.
    """

    colors: Sequence[int]
    keep: float | None = None
    max_bytes: int | None = None
    flat: bool = False
    smooths: bool = False
    scales: bool = False

    def fits(self, outcome: Outcome) -> bool:
        """Return whether the file has few enough bytes."""
        return self.max_bytes is None or outcome.size <= self.max_bytes

    def keeps(self, outcome: Outcome) -> bool:
        """Return whether the label and enough of its probability stay."""
        return self.keep is None or (outcome.kept and outcome.share >= self.keep)

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
        otherwise that of the most colors. Where it does not fit, the outcome is the one of the most colors that do,
        with dither or flat, whichever keeps more of the label, or a smoothed one where the fewest colors do not fit.

        The search takes for granted that more colors keep more and need more bytes. Where no number of colors keeps
        the label, it returns the most colors.

        Raises:
            DoesNotFit: nothing that the search may try fits.
        """
        outcome = await (self._fewest_that_keep() if fewest else self._at(len(self._goals.colors) - 1))
        return outcome if self._goals.fits(outcome) else await self._best_that_fits()

    async def _at(self, position: int, *, flat: bool = False) -> Tried:
        return await self._attempt(Trial(self._goals.colors[position], self._scale, flat))

    async def _fewest_that_keep(self) -> Tried:
        """Double the number of colors until the label is kept, then search between the last two numbers."""
        colors = self._goals.colors
        low, high = -1, 0  # positions: the last one that loses the label, and the one to try
        outcome = await self._at(high)
        while not self._goals.keeps(outcome) and high < len(colors) - 1:
            low, high = high, _position(colors, 2 * colors[high])
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

    async def _best_that_fits(self) -> Tried:
        smallest = [await self._at(0, flat=flat) for flat in ((False, True) if self._goals.flat else (False,))]
        found = [
            await self._most_colors_that_fit(outcome, flat=bool(position))
            for position, outcome in enumerate(smallest)
            if self._goals.fits(outcome)
        ]
        if found:
            return max(found, key=_worth)
        if self._goals.smooths:
            smallest.append(await self._attempt(Trial(self._goals.colors[0], self._scale, smooth=True)))
        least = min(smallest, key=lambda outcome: outcome.size)
        return least if self._goals.fits(least) else await self._best_scaled(least)

    async def _most_colors_that_fit(self, best: Tried, *, flat: bool) -> Tried:
        low, high = 0, len(self._goals.colors)
        while high - low > 1:
            middle = (low + high) // 2
            tried = await self._at(middle, flat=flat)
            if self._goals.fits(tried):
                low, best = middle, tried
            else:
                high = middle
        return best

    async def _best_scaled(self, smallest: Tried) -> Tried:
        """Return the outcome that keeps most of the label among several numbers of colors, each as large as fits."""
        if not self._goals.scales:
            raise DoesNotFit(
                f"The smallest file has {smallest.size} bytes, more than max_bytes={self._goals.max_bytes}. Raise "
                "`max_bytes`, or ask for scale=auto or a smaller `max_side`."
            )
        found = [await self._largest_that_fits(colors, smallest.size) for colors in _few(self._goals.colors)]
        fitting = [outcome for outcome in found if outcome is not None]
        if not fitting:
            raise DoesNotFit(f"No picture fits into max_bytes={self._goals.max_bytes}; raise it.")
        return max(fitting, key=_worth)

    async def _largest_that_fits(self, colors: int, size_of_fewest: int) -> Tried | None:
        """Search the largest scale at which the file fits; None where it fits at none.

        The first guess takes for granted that bytes grow with the pixels and with the bits of an index.
        """
        limit = self._goals.max_bytes or 0
        bits = math.log2(colors) / math.log2(self._goals.colors[0])
        low, high, best = 0.0, self._scale, None
        scale = min(1.0, math.sqrt(limit / (size_of_fewest * bits))) * self._scale
        for _ in range(_STEPS_OF_SCALE):
            if scale < _SMALLEST_SCALE:
                break
            outcome = await self._attempt(Trial(colors, scale, self._goals.flat))
            if self._goals.fits(outcome):
                low, best = scale, outcome
                if outcome.size >= _FULL_ENOUGH * limit:
                    break
            else:
                high = scale
            scale = _between(low, high, scale * math.sqrt(limit / outcome.size))
        return best


def _worth(outcome: Outcome) -> tuple[bool, float, int]:
    """Return what makes one outcome that fits better than another: the label, its probability, and then detail."""
    return outcome.kept, min(1.0, outcome.share), outcome.size


def _position(colors: Sequence[int], wanted: int) -> int:
    return next((position for position, each in enumerate(colors) if each >= wanted), len(colors) - 1)


def _few(colors: Sequence[int]) -> list[int]:
    """Return the powers of two among numbers of colors up to 16, or the only number."""
    return [each for each in colors if each in (2, 4, 8, 16)] or [colors[0]]


def _between(low: float, high: float, guess: float) -> float:
    """Return a guess inside an interval; its middle where the guess lies outside or at an end."""
    margin = (high - low) / 8
    return min(max(guess, low + margin), high - margin)
