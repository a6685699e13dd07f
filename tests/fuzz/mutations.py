"""Mutations that damage a file but let a decoder read a part of it."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

Mutation = Callable[[bytearray, random.Random, bytes], None]
"""Changes a file in place. The file is not empty; the last argument is another file."""

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF)
_LENGTHS = (0, 1, 2, 12, 255, 256, 32768, 65535, 65536, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_PNG = b"\x89PNG\r\n\x1a\n"


def mutate(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Apply one to four mutations to `data`; some splice it with `other`.

    Most mutated PNG files get correct checksums again, because a decoder stops at a wrong one.
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
    """Overwrite two or four bytes, possibly a length, a size or an offset, with a number."""
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
    """Replace the rest of this file by the rest of another file."""
    data[chance.randrange(len(data)) :] = other[chance.randrange(len(other)) :]


def _append(data: bytearray, _: random.Random, other: bytes) -> None:
    data += other


def _repeat(data: bytearray, chance: random.Random, _: bytes) -> None:
    """Repeat a stretch of the file."""
    start = chance.randrange(len(data))
    data[start:start] = data[start : start + chance.choice((2, 16, 256))] * chance.choice((2, 16, 200))


def _shuffle_chunks(data: bytearray, chance: random.Random, _: bytes) -> None:
    """Repeat, move or delete a chunk of a PNG or RIFF file, or a segment of a JPEG file."""
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
    """Unpack, change and pack the rows of a PNG, so that the change reaches filters and interlacing."""
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


# Magic bytes, offset of the first chunk, layout of a chunk's head, and bytes that its length does not count.
_CHUNKED = (
    (_PNG, 8, struct.Struct(">I4x"), 12),
    (b"RIFF", 12, struct.Struct("<4xI"), 8),
    (b"\xff\xd8", 2, struct.Struct(">2xH"), 2),
)


def _chunks(data: bytearray) -> Iterator[tuple[int, int]]:
    """Yield start and end of each PNG chunk, RIFF chunk or JPEG segment, up to the first invalid one."""
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
