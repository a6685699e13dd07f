"""The first directory of a TIFF file: the fields that describe its first page.

Specification: "TIFF Revision 6.0", Adobe 1992, section 2, and the BigTIFF design of the libtiff project, whose offsets
have eight bytes.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.errors import BadImage

_BIG_ENDIAN = b"MM"
_BIG_TIFF = (b"MM\0+", b"II+\0")

_MAX_FIELDS = 4096
_MAX_VALUES = 3 << 16  # of a field of numbers; the largest palette has so many
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}  # struct codes by type
_SIZES = {2: 1, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8} | {kind: struct.calcsize(code) for kind, code in _INTEGERS.items()}
_BYTES = frozenset({1, 2, 7})  # BYTE, ASCII, UNDEFINED: their values stay bytes, however many they are
_CUT_SHORT = "The TIFF file is cut short or damaged. Save it again and send the whole file."
_ADVICE = "The TIFF's directory does not describe an ordinary picture. Save it again, for example as PNG."


@dataclass(frozen=True)
class Field:
    """A field of a directory: the number of its type, the number of its values, and its values as stored."""

    kind: int
    count: int
    raw: bytes


@dataclass(frozen=True, eq=False)
class Directory:
    """The first directory of a TIFF file.

    Attributes:
        order: byte order of the file, as struct writes it: "<" or ">".
        has_next: whether another directory follows, that of a second page.
    """

    order: str
    has_next: bool
    _data: bytes
    _entries: Mapping[int, tuple[int, int, bytes]]  # type, number of values, and the values or their offset

    def __contains__(self, tag: object) -> bool:
        return tag in self._entries

    def field(self, tag: int) -> Field | None:
        """Return a field; None where it is absent. Its values are read now, so that no file can repeat large ones.

        Raises:
            BadImage: the file ends before the values do.
        """
        if tag not in self._entries:
            return None
        kind, count, inline = self._entries[tag]
        size = count * _SIZES[kind]
        if size <= len(inline):
            return Field(kind, count, inline[:size])
        (start,) = struct.unpack(self.order + ("I" if len(inline) == 4 else "Q"), inline)
        if start + size > len(self._data):
            raise BadImage(_CUT_SHORT)
        return Field(kind, count, self._data[start : start + size])

    def numbers(self, tag: int, default: Sequence[int] = ()) -> tuple[int, ...]:
        """Return the values of a field of integers, or the default where the field is absent.

        Raises:
            BadImage: the field holds something else, or the file ends before its values do.
        """
        field = self.field(tag)
        if field is None:
            return tuple(default)
        if field.kind not in _INTEGERS or field.count == 0:
            raise BadImage(_ADVICE)
        return struct.unpack(f"{self.order}{field.count}{_INTEGERS[field.kind]}", field.raw)

    def number(self, tag: int, default: int) -> int:
        """Return the first value of a field of integers. Raises BadImage as `numbers` does."""
        return self.numbers(tag, (default,))[0]

    def text(self, tag: int) -> bytes | None:
        """Return the values of a field of bytes; None where it is absent, of another type or cut short."""
        try:
            field = self.field(tag)
        except BadImage:
            return None
        return field.raw if field and field.kind in _BYTES else None


def read_directory(data: bytes) -> Directory:
    """Return the first directory of a TIFF file. Of several fields with one tag the first counts, as in libtiff.

    Raises:
        BadImage: the directory is cut short, or has far more fields or values than one picture needs.
    """
    order = ">" if data.startswith(_BIG_ENDIAN) else "<"
    big = data.startswith(_BIG_TIFF)
    offset, count, entry = ("Q", "Q", "HHQ8s") if big else ("I", "H", "HHI4s")
    try:
        (start,) = struct.unpack_from(order + offset, data, 8 if big else 4)
        (fields,) = struct.unpack_from(order + count, data, start)
        if fields > _MAX_FIELDS:
            raise BadImage(_ADVICE)
        first, size = start + struct.calcsize(order + count), struct.calcsize(order + entry)
        stored = [struct.unpack_from(order + entry, data, first + size * at) for at in range(fields)]
    except (struct.error, OverflowError):
        raise BadImage(_CUT_SHORT) from None
    entries: dict[int, tuple[int, int, bytes]] = {}
    for tag, kind, values, inline in stored:
        if kind in _SIZES and tag not in entries:
            if kind not in _BYTES and values > _MAX_VALUES:
                raise BadImage(_ADVICE)
            entries[tag] = (kind, values, inline)
    return Directory(order, _has_directory(data, order + offset, order + count, first + size * fields), data, entries)


def _has_directory(data: bytes, offset: str, count: str, at: int) -> bool:
    """Return whether the offset at `at` leads to a directory with fields."""
    try:
        (start,) = struct.unpack_from(offset, data, at)
        return bool(start) and struct.unpack_from(count, data, start)[0] > 0
    except (struct.error, OverflowError):
        return False
