"""Palette and index map as decisions that an adaptive model predicts and a binary arithmetic coder writes.

docs/packed.md specifies the code to the bit. Questions find each index: is it that of the left neighbor, that of the
upper one, the next likely one? Five adaptive probabilities, each for another context of neighbors, predict an answer. A
logistic mixture combines them, as in M. Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression",
Florida Tech CS-2005-16, 2005. All arithmetic is in integers, so every decoder computes the same.

Two contexts hold which neighbors are equal to the index in question, whatever that index is. They learn within a few
hundred pixels, which small images need.

Cost: 3 microseconds a decision. An image has about one decision a pixel at two colors, and two at sixteen.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from models.errors import CodecError
from models.palette_image import PaletteImage
from models.pauses import pause

MAX_DECISIONS = 1 << 20
"""Most decisions that the pixels of a file may take, about three seconds."""

MAX_COLORS = 64
"""Most colors of a modeled index map."""

Code = Callable[[int, int], int]
"""Codes a decision: (probability of 1 in units of 2^-16, decision) -> decision. A decoder ignores the one it gets."""

_HALF, _ONE = 1 << 15, 1 << 16
_LEAST = 64  # of an adaptive probability and of its complement
_MOST_COUNT = 62
_RATES = [_ONE // (count + 2) for count in range(_MOST_COUNT + 1)]
_RANGE = 2047  # of logits, in units of 1/256
_LOGITS = [max(-_RANGE, min(_RANGE, round(256 * math.log((i + 0.5) / (4095.5 - i))))) for i in range(4096)]
_LOGISTIC = [round(_ONE / (1 + math.exp(-i / 256))) for i in range(-_RANGE, _RANGE + 1)]
_CONTEXTS = 5  # of a decision on an index
_RANKS = 4  # weights of the mixture: for the first, second, third and further decisions of a pixel
_WIDER, _LEFT, _ABOVE, _THREE = 1 << 8, 1 << 13, 1 << 14, 1 << 15  # first numbers of the kinds of contexts after 0
_HASH = 65_537  # a prime above 16^4: up to 16 colors no two contexts of three neighbors share a number
_LOW_BITS = 4  # of a palette difference, coded without a model
_MASK = 0xFFFF_FFFF


class Encoder:
    """A binary arithmetic encoder with 32 bits of state."""

    def __init__(self) -> None:
        self._low, self._high, self._bytes = 0, _MASK, bytearray()

    def code(self, probability: int, bit: int) -> int:
        """Write a decision; see `Code`."""
        low, high = self._low, self._high
        middle = low + (high - low >> 16) * probability
        if bit:
            high = middle
        else:
            low = middle + 1
        while not (low ^ high) >> 24:
            self._bytes.append(high >> 24)
            low, high = low << 8 & _MASK, high << 8 & _MASK | 255
        self._low, self._high = low, high
        return bit

    def finish(self) -> bytes:
        """Return the shortest code that ends here; the decoder reads zeros behind it."""
        for size in range(5):
            unit = 1 << 32 - 8 * size
            value = -(-self._low // unit) * unit
            if value <= self._high:
                self._bytes += value.to_bytes(4, "big")[:size]
                break
        return bytes(self._bytes).rstrip(b"\0")


class Decoder:
    """The decoder of what an `Encoder` wrote."""

    def __init__(self, data: bytes) -> None:
        self._rest = iter(data)
        self._low, self._high, self._value = 0, _MASK, 0
        for _ in range(4):
            self._value = self._value << 8 | next(self._rest, 0)

    def code(self, probability: int, bit: int) -> int:
        """Read a decision; see `Code`."""
        low, high = self._low, self._high
        middle = low + (high - low >> 16) * probability
        if self._value <= middle:
            bit, high = 1, middle
        else:
            bit, low = 0, middle + 1
        while not (low ^ high) >> 24:
            low, high = low << 8 & _MASK, high << 8 & _MASK | 255
            self._value = self._value << 8 & _MASK | next(self._rest, 0)
        self._low, self._high = low, high
        return bit

    def is_done(self) -> bool:
        """Return whether every byte was read."""
        return next(self._rest, None) is None


def can_encode(image: PaletteImage) -> bool:
    """Return whether an image has at most MAX_COLORS colors and MAX_DECISIONS decisions."""
    if image.colors > MAX_COLORS or (image.colors > 1 and image.indices.size > MAX_DECISIONS):
        return False
    return image.colors == 1 or _count_decisions(image.indices, image.colors) <= MAX_DECISIONS


def encode(image: PaletteImage) -> bytes:
    """Return the code of palette and index map of an image that `can_encode` accepts. Raises CodecError for another."""
    encoder = Encoder()
    _code_palette(image.colors, encoder.code, image.palette.tolist())
    for _ in _rows(image.width, image.height, image.colors, encoder.code, image.indices):
        pause()
    return encoder.finish()


def decode(data: bytes, width: int, height: int, colors: int) -> PaletteImage:
    """Return the image of a code.

    Raises:
        CodecError: the code is longer than its image, has more than MAX_DECISIONS decisions, or too many colors.
    """
    if colors > MAX_COLORS:
        raise damaged(f"a modeled index map has at most {MAX_COLORS} colors, not {colors}")
    if colors > 1 and width * height > MAX_DECISIONS:
        raise _too_many()
    decoder = Decoder(data)
    palette = np.array(_code_palette(colors, decoder.code, None), np.uint8)
    indices = np.zeros((height, width), np.uint8)
    for row, values in zip(indices, _rows(width, height, colors, decoder.code, None), strict=False):
        row[:] = values
        pause()
    if not decoder.is_done():
        raise damaged("bytes follow its last pixel")
    return PaletteImage(indices, palette)


def _count_decisions(indices: npt.NDArray[np.uint8], colors: int) -> int:
    """Return the number of decisions on the pixels of an index map, (H, W) uint8 below `colors`."""
    padded = np.zeros((indices.shape[0] + 1, indices.shape[1] + 1), np.int64)
    padded[1:, 1:] = indices
    padded[1:, 0] = padded[:-1, 1]
    left, above = padded[1:, :-1], padded[:-1, 1:]
    seen, counts = np.unique((left * colors + above) * colors + indices, return_counts=True)
    ranks = (
        _order(int(pair) // colors, int(pair) % colors, colors).index(index)
        for pair, index in zip(seen // colors, (seen % colors).tolist(), strict=True)
    )
    return sum(min(rank + 1, colors - 1) * int(count) for rank, count in zip(ranks, counts, strict=True))


def _order(left: int, above: int, colors: int) -> list[int]:
    """Return all indices in the order of the questions: those of both neighbors, then the closest to their mean."""
    return sorted(range(colors), key=lambda index: (index != left, index != above, abs(2 * index - left - above)))


def _rows(
    width: int, height: int, colors: int, code: Code, wanted: npt.NDArray[np.uint8] | None
) -> Iterator[list[int]]:
    """Code an index map row by row, and yield each row; none where there is one color. wanted: (H, W), to encode."""
    if colors == 1:
        return
    states: defaultdict[int, list[int]] = defaultdict(lambda: [_HALF, 0])  # probability of 1, and count
    weights = [[_ONE // 4] * _CONTEXTS for _ in range(_RANKS)]
    orders: dict[int, list[int]] = {}
    above = above2 = [0] * (width + 4)  # rows with two neighbors more at each end
    decisions = 0
    for y in range(height):
        row = [above[2]] * 2
        goals = [-1] * width if wanted is None else wanted[y].tolist()
        for x, goal in enumerate(goals):
            ww, w = row[-2:]
            nww, nw, n, ne, nee = above[x : x + 5]
            nnw, nn, nne = above2[x + 1 : x + 4]
            pair = w * colors + n
            order = orders.get(pair)
            if order is None:
                order = orders[pair] = _order(w, n, colors)
            index = order[-1]
            for asked, candidate in enumerate(order[:-1]):
                rank = asked if asked < _RANKS else _RANKS - 1
                near = (
                    (w == candidate)
                    + 2 * (n == candidate)
                    + 4 * (nw == candidate)
                    + 8 * (ne == candidate)
                    + 16 * (ww == candidate)
                    + 32 * (nn == candidate)
                )
                far = 64 * (nww == candidate) + 128 * (nee == candidate) + 256 * (nnw == candidate)
                far += 512 * (nne == candidate)
                used = a, b, c, d, e = (
                    states[4 * near + rank],
                    states[_WIDER + 4 * (near + far) + rank],
                    states[_LEFT + w * colors + candidate],
                    states[_ABOVE + n * colors + candidate],
                    states[_THREE + ((pair * colors + ne) * colors + candidate) % _HASH],
                )
                fa, fb, fc = _LOGITS[a[0] >> 4], _LOGITS[b[0] >> 4], _LOGITS[c[0] >> 4]
                fd, fe = _LOGITS[d[0] >> 4], _LOGITS[e[0] >> 4]
                wa, wb, wc, wd, we = weights[rank]
                logit = wa * fa + wb * fb + wc * fc + wd * fd + we * fe >> 16
                chance = _LOGISTIC[(logit if -_RANGE < logit < _RANGE else _RANGE if logit > 0 else -_RANGE) + _RANGE]
                bit = code(chance, candidate == goal)
                decisions += 1
                error = (_ONE if bit else 0) - chance
                weights[rank] = [
                    wa + (error * fa >> 14),
                    wb + (error * fb >> 14),
                    wc + (error * fc >> 14),
                    wd + (error * fd >> 14),
                    we + (error * fe >> 14),
                ]
                _learn(used, bit)
                if bit:
                    index = candidate
                    break
            row.append(index)
            if decisions > MAX_DECISIONS:
                raise _too_many()
        yield row[2:]
        above2, above = above, [*row, index, index]


def _learn(states: tuple[list[int], ...], bit: int) -> None:
    """Move each probability towards the decision, by 1 / (count + 2) of the way, and count the decision."""
    goal = _ONE - _LEAST if bit else _LEAST
    for state in states:
        probability, count = state
        state[0] = probability + ((goal - probability) * _RATES[count] >> 16)
        if count < _MOST_COUNT:
            state[1] = count + 1


def _code_palette(colors: int, code: Code, wanted: list[list[int]] | None) -> list[list[int]]:
    """Code the palette: (R - G, G, B - G) minus that of the color before, each modulo 256, and return the palette."""
    states: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [_HALF, 0])

    def number(channel: int, goal: int) -> int:
        high = 0
        while high < 15:
            state = states[channel, high]
            more = code(state[0], high < goal >> _LOW_BITS)
            _learn((state,), more)
            if not more:
                break
            high += 1
        low = 0
        for shift in range(_LOW_BITS - 1, -1, -1):
            low = 2 * low + code(_HALF, goal >> shift & 1)
        return high << _LOW_BITS | low

    palette = []
    g = red = blue = 0  # green, R - G and B - G of the color before
    for position in range(colors):
        r2, g2, b2 = wanted[position] if wanted else (0, 0, 0)
        goals = (g2 - g) % 256, _zigzag(r2 - g2 - red), _zigzag(b2 - g2 - blue)
        steps = [number(channel, goal) for channel, goal in enumerate(goals)]
        g = (g + steps[0]) % 256
        red, blue = red + _unzigzag(steps[1]), blue + _unzigzag(steps[2])
        palette.append([(g + red) % 256, g, (g + blue) % 256])
    return palette


def _zigzag(difference: int) -> int:
    """Map a difference modulo 256 to 0 to 255: 0, -1, 1, -2, 2, ..."""
    signed = (difference + 128) % 256 - 128
    return 2 * signed if signed >= 0 else -2 * signed - 1


def _unzigzag(number: int) -> int:
    return -(number + 1 >> 1) if number & 1 else number >> 1


def _too_many() -> CodecError:
    return damaged(f"its index map takes more than {MAX_DECISIONS:,} decisions")


def damaged(reason: str) -> CodecError:
    """Return the error for a packed file that cannot be read."""
    return CodecError(f"The PACKED file cannot be read: {reason}. Send the whole file as it was written.")
