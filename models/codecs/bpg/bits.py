"""Reading and writing of the integer codes in BPG and HEVC headers.

"u(n)" is n bits, most significant first. "ue" is the 0-th order Exp-Golomb code of HEVC, and "se" the same for signed
numbers. "ue7" has seven bits a byte.
The readers raise CodecError for an invalid code and for data that end too early.
"""

from models.errors import CodecError

_UE_ZEROS = 31  # leading zeros of the longest ue: no header field has more than 32 bits (H.265, clause 9.2)
_UE7_BYTES = 5  # bytes of a ue7(32), the longest one (BPG, clause 2)
_MAX = (1 << 32) - 1


class BitReader:
    """Reader of the bits of `data`, from the front."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data)
        self._left = 8 * len(data)

    @property
    def left(self) -> int:
        """Number of bits that are still unread."""
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

    def se(self) -> int:
        """Return the next signed Exp-Golomb number (H.265, clause 9.2.2)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


class BitWriter:
    """Collector of bits, the inverse of BitReader."""

    def __init__(self) -> None:
        self._bits = 0
        self._count = 0

    def u(self, count: int, value: int) -> None:
        """Append `value` as `count` bits. Raise ValueError where it does not fit."""
        if not 0 <= value < 1 << count:
            raise ValueError(f"{value} does not fit {count} bits")
        self._bits = self._bits << count | value
        self._count += count

    def flag(self, value: bool) -> None:
        """Append one bit."""
        self.u(1, int(value))

    def ue(self, value: int) -> None:
        """Append an Exp-Golomb number (H.265, clause 9.2). Raise ValueError unless 0 <= value <= 2^32 - 2."""
        if not 0 <= value < _MAX:
            raise ValueError(f"{value} is outside the range of an Exp-Golomb number of 32 bits")
        self.u(2 * (value + 1).bit_length() - 1, value + 1)

    def padded(self) -> bytes:
        """Return the bits, filled up with zeros to whole bytes."""
        padding = -self._count % 8
        return (self._bits << padding).to_bytes((self._count + padding) // 8)


def read_ue7(data: bytes, at: int) -> tuple[int, int]:
    """Return the value of the ue7 at byte `at` of `data`, and the position behind it (BPG, clause 2).

    Raises:
        CodecError: the code is cut short, has more than 32 bits, or is not in its shortest form (starts with 0x80).
    """
    value = 0
    for position in range(at, min(len(data), at + _UE7_BYTES)):
        value = value << 7 | data[position] & 0x7F
        if value == 0 and data[position]:
            raise CodecError("The BPG file is damaged: a number in its header starts with an empty byte.")
        if data[position] < 0x80:
            if value > _MAX:
                break
            return value, position + 1
    if at + _UE7_BYTES > len(data):
        raise CodecError("The BPG file ends inside its header: send the whole file.")
    raise CodecError("The BPG file is damaged: a number in its header has more than 32 bits.")


def write_ue7(value: int) -> bytes:
    """Return the ue7 of `value` (BPG, clause 2). Raise ValueError unless 0 <= value <= 2^32 - 1."""
    if not 0 <= value <= _MAX:
        raise ValueError(f"{value} does not fit a ue7 of 32 bits")
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))
