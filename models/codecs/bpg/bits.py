"""The three kinds of integers that BPG and HEVC headers are made of, read and written.

"u(n)" is n bits, most significant first; "ue" is the 0-th order Exp-Golomb code of HEVC; "ue7" is seven bits a byte.
Whatever does not follow its rules, or ends too early, is a CodecError.
"""

from models.errors import CodecError

_UE_ZEROS = 31  # leading zeros of the longest ue: no field of a header is longer than 32 bits (H.265, clause 9.2)
_UE7_BYTES = 5  # of a ue7(32), the longest there is (BPG, clause 2)
_MAX = (1 << 32) - 1


class BitReader:
    """Reads bits from the front of `data`."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data)
        self._left = 8 * len(data)

    @property
    def left(self) -> int:
        """Bits that have not been read."""
        return self._left

    def u(self, count: int) -> int:
        """Return the next `count` bits as an unsigned integer."""
        if count > self._left:
            raise CodecError("The BPG file is damaged: a header ends too early.")
        self._left -= count
        return self._bits >> self._left & (1 << count) - 1

    def flag(self) -> bool:
        """Return the next bit."""
        return self.u(1) == 1

    def ue(self) -> int:
        """Return the next Exp-Golomb number, at most 2^32 - 2 (H.265, clause 9.2)."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > _UE_ZEROS:
                raise CodecError("The BPG file is damaged: a number in a header has more than 32 bits.")
        return (1 << zeros) - 1 + self.u(zeros)


class BitWriter:
    """Collects bits, the inverse of BitReader."""

    def __init__(self) -> None:
        self._bits = 0
        self._count = 0

    def u(self, count: int, value: int) -> None:
        """Append `value` as `count` bits. Raises ValueError where it does not fit."""
        if not 0 <= value < 1 << count:
            raise ValueError(f"{value} does not fit {count} bits")
        self._bits = self._bits << count | value
        self._count += count

    def flag(self, value: bool) -> None:
        """Append one bit."""
        self.u(1, int(value))

    def ue(self, value: int) -> None:
        """Append an Exp-Golomb number (H.265, clause 9.2). Raises ValueError unless 0 <= value <= 2^32 - 2."""
        if not 0 <= value < _MAX:
            raise ValueError(f"{value} is outside an Exp-Golomb number of 32 bits")
        self.u(2 * (value + 1).bit_length() - 1, value + 1)

    def padded(self) -> bytes:
        """Return what was written, with zeros up to a whole byte."""
        padding = -self._count % 8
        return (self._bits << padding).to_bytes((self._count + padding) // 8)


def read_ue7(data: bytes, at: int) -> tuple[int, int]:
    """Read the ue7 that starts at byte `at` of `data` (BPG, clause 2): the value and the place behind it.

    Only the shortest form is accepted, so a first byte of 0x80 is not, nor more than 32 bits.
    """
    value = 0
    for place in range(at, min(len(data), at + _UE7_BYTES)):
        value = value << 7 | data[place] & 0x7F
        if value == 0 and data[place]:
            raise CodecError("The BPG file is damaged: a number in its header starts with an empty byte.")
        if data[place] < 0x80:
            if value > _MAX:
                break
            return value, place + 1
    if at + _UE7_BYTES > len(data):
        raise CodecError("The BPG file ends inside its header: send the whole file.")
    raise CodecError("The BPG file is damaged: a number in its header has more than 32 bits.")


def write_ue7(value: int) -> bytes:
    """Return the ue7 of `value` (BPG, clause 2). Raises ValueError unless it is from 0 to 2^32 - 1."""
    if not 0 <= value <= _MAX:
        raise ValueError(f"{value} does not fit a ue7 of 32 bits")
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))
