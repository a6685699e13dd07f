"""Ways to damage a file so that a decoder gets some way into it."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

Mutation = Callable[[bytearray, random.Random, bytes], None]
"""Changes a file that is not empty in place; the bytes are another file."""

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF)
_LENGTHS = (0, 1, 2, 12, 255, 256, 32768, 65535, 65536, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_PNG = b"\x89PNG\r\n\x1a\n"


def mutate(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """One to four mutations of `data`, spliced with `other` where one says so.

    The checksums of a PNG are mostly put right again, or its reader would look no further than at them.
    """
    mutant = bytearray(data)
    for change in chance.choices(_MUTATIONS, k=chance.choice((1, 1, 2, 4))):
        if mutant:
            change(mutant, chance, other)
    if mutant.startswith(_PNG) and chance.random() < 0.8:
        _correct_checksums(mutant)
    return bytes(mutant)


def _flip_bits(data: bytearray, chance: random.Random, _: bytes) -> None:
    for _unused in range(chance.choice((1, 1, 2, 8, 64))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _change_the_header(data: bytearray, chance: random.Random, _: bytes) -> None:
    data[chance.randrange(min(len(data), 64))] = chance.choice((*_EXTREMES, chance.randrange(256)))


def _write_a_length(data: bytearray, chance: random.Random, _: bytes) -> None:
    """A number of two or four bytes over what may have been a length, a size or an offset."""
    size, start = chance.choice((2, 4)), chance.randrange(min(len(data), chance.choice((64, 1 << 20))))
    number = chance.choice((*_LENGTHS, len(data), len(data) + 1)) % (1 << 8 * size)
    data[start : start + size] = number.to_bytes(size, chance.choice(("big", "little")))


def _truncate(data: bytearray, chance: random.Random, _: bytes) -> None:
    del data[chance.randrange(len(data)) :]


def _cut_out(data: bytearray, chance: random.Random, _: bytes) -> None:
    start = chance.randrange(len(data))
    del data[start : start + chance.choice((1, 4, 64, 1024))]


def _put_noise_in(data: bytearray, chance: random.Random, _: bytes) -> None:
    start = chance.randrange(len(data))
    data[start:start] = chance.randbytes(chance.choice((1, 4, 64, 1024)))


def _splice(data: bytearray, chance: random.Random, other: bytes) -> None:
    """The rest of another file, of any format, behind the beginning of this one."""
    data[chance.randrange(len(data)) :] = other[chance.randrange(len(other)) :]


def _append(data: bytearray, _: random.Random, other: bytes) -> None:
    data += other


def _repeat(data: bytearray, chance: random.Random, _: bytes) -> None:
    """A stretch of any file, many times over."""
    start = chance.randrange(len(data))
    data[start:start] = data[start : start + chance.choice((2, 16, 256))] * chance.choice((2, 16, 200))


def _shuffle_chunks(data: bytearray, chance: random.Random, _: bytes) -> None:
    """A chunk of a PNG, RIFF or segment of a JPEG twice, elsewhere, or not at all."""
    spans = list(_chunks(data))
    if not spans:
        return
    start, end = chance.choice(spans)
    chunk = data[start:end]
    if chance.random() < 0.5:
        del data[start:end]
    if chance.random() < 0.7:
        position = min(chance.choice(spans)[0], len(data))
        data[position:position] = chunk * chance.choice((1, 2, 50))


def _change_packed_rows(data: bytearray, chance: random.Random, _: bytes) -> None:
    """The rows of a PNG, unpacked, changed and packed again, so that filters and interlacing meet the change."""
    for start, end in _chunks(data):
        if data[start + 4 : start + 8] == b"IDAT" and data.startswith(_PNG):
            try:
                rows = bytearray(zlib.decompress(data[start + 8 : end - 4]))
            except zlib.error:
                return
            for change in chance.choices((_flip_bits, _truncate, _cut_out, _repeat), k=2):
                if rows:
                    change(rows, chance, b"")
            packed = zlib.compress(rows)
            data[start : end - 4] = struct.pack(">I", len(packed)) + b"IDAT" + packed
            return


_MUTATIONS: Sequence[Mutation] = (
    _flip_bits,
    _flip_bits,
    _change_the_header,
    _change_the_header,
    _write_a_length,
    _write_a_length,
    _truncate,
    _cut_out,
    _put_noise_in,
    _splice,
    _append,
    _repeat,
    _shuffle_chunks,
    _shuffle_chunks,
    _change_packed_rows,
)


# By what a file starts with: where its first chunk is, how a chunk begins, and the bytes that its length leaves out.
_CHUNKED = (
    (_PNG, 8, struct.Struct(">I4x"), 12),
    (b"RIFF", 12, struct.Struct("<4xI"), 8),
    (b"\xff\xd8", 2, struct.Struct(">2xH"), 2),
)


def _chunks(data: bytearray) -> Iterator[tuple[int, int]]:
    """Start and end of each chunk of a PNG or a WebP, or segment of a JPEG, up to the first that is no such thing."""
    for mark, at, head, more in _CHUNKED:
        if data.startswith(mark):
            while at + head.size <= len(data):
                end = at + head.unpack_from(data, at)[0] + more
                if end > len(data):
                    return
                yield at, end
                at = end


def _correct_checksums(png: bytearray) -> None:
    for start, end in _chunks(png):
        png[end - 4 : end] = struct.pack(">I", zlib.crc32(png[start + 4 : end - 4]))
