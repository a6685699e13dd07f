"""TIFF files of every layout, written from samples; for tests, with no check of what it writes (TIFF 6.0)."""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

UINT, INT, FLOAT, VOID = 1, 2, 3, 4
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
NONE, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773

Tags = Mapping[int, tuple[str, Sequence[int]]]
_TURNED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1).tobytes()
_TYPES = {"B": 1, "s": 2, "H": 3, "I": 4, "Q": 16, "h": 8}


@dataclass(frozen=True)
class Layout:
    """How a TIFF stores its samples."""

    bits: int = 8
    kind: int = UINT
    photometric: int = RGB
    planar: int = 1
    compression: int = NONE
    order: str = "<"
    big: bool = False
    tile: int = 0  # side in pixels; 0 for strips
    rows: int = 7  # of a strip
    predictor: int = 1
    low_bit_first: bool = False  # in each byte of a strip or tile
    extra: Sequence[int] = ()  # meaning of each extra sample: 0 unspecified, 1 premultiplied alpha, 2 alpha
    tags: Tags = field(default_factory=dict)


def write_tiff(samples: npt.NDArray[np.generic], layout: Layout) -> bytes:
    """Return the file of samples (H, W, channels). Integers lie in the range of their bits; floats are as they are."""
    height, width, channels = samples.shape
    planes = [samples] if layout.planar == 1 else [samples[..., at : at + 1] for at in range(channels)]
    segments = [segment for plane in planes for segment in _segments(plane, layout)]
    sizes = {322: ("I", [layout.tile]), 323: ("I", [layout.tile])} if layout.tile else {278: ("I", [layout.rows])}
    tags: dict[int, tuple[str, Sequence[int]]] = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [layout.bits] * channels),
        259: ("H", [layout.compression]),
        262: ("H", [layout.photometric]),
        277: ("H", [channels]),
        284: ("H", [layout.planar]),
        339: ("H", [layout.kind] * channels),
        **sizes,
    }
    if layout.photometric == CMYK:
        tags[332] = ("H", [1])
    if layout.predictor > 1:
        tags[317] = ("H", [layout.predictor])
    if layout.low_bit_first:
        tags[266] = ("H", [2])
    if layout.extra:
        tags[338] = ("H", layout.extra)
    return assemble(segments, tags | dict(layout.tags), layout)


def assemble(segments: Sequence[bytes], tags: Mapping[int, tuple[str, Sequence[int]]], layout: Layout) -> bytes:
    """Return the file of coded strips or tiles and these tags."""
    order, big = layout.order, layout.big
    start = 16 if big else 8
    offsets = [start + sum(len(each) + len(each) % 2 for each in segments[:at]) for at in range(len(segments))]
    data = b"".join(each + bytes(len(each) % 2) for each in segments)
    where = (324, 325) if layout.tile else (273, 279)
    entries = {**tags, where[0]: ("Q" if big else "I", offsets), where[1]: ("I", [len(each) for each in segments])}
    head, entry, inline = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    directory = start + len(data)
    outside = directory + struct.calcsize(f"<{head}") + len(entries) * (struct.calcsize(f"<{entry}") + inline) + inline
    table, values = struct.pack(order + head, len(entries)), b""
    for tag, (code, numbers) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        pointer = struct.pack(order + ("Q" if big else "I"), outside + len(values))
        table += struct.pack(order + entry, tag, _TYPES[code], len(numbers))
        table += packed.ljust(inline, b"\0") if len(packed) <= inline else pointer
        values += packed + bytes(len(packed) % 2) if len(packed) > inline else b""
    mark = b"II" if order == "<" else b"MM"
    start_mark = struct.pack(f"{order}HHHQ", 43, 8, 0, directory) if big else struct.pack(f"{order}HI", 42, directory)
    return mark + start_mark + data + table + bytes(inline) + values


def _segments(plane: npt.NDArray[np.generic], layout: Layout) -> Iterator[bytes]:
    """Yield the coded strips or tiles of samples (H, W, channels)."""
    height, width, channels = plane.shape
    if not layout.tile:
        for top in range(0, height, layout.rows):
            yield _coded(plane[top : top + layout.rows], layout)
        return
    side = layout.tile
    for top in range(0, height, side):
        for left in range(0, width, side):
            tile = np.zeros((side, side, channels), plane.dtype)
            part = plane[top : top + side, left : left + side]
            tile[: part.shape[0], : part.shape[1]] = part
            yield _coded(tile, layout)


def _coded(block: npt.NDArray[np.generic], layout: Layout) -> bytes:
    rows = block.reshape(len(block), -1)
    if layout.predictor == 2:
        before = np.zeros_like(block)
        before[:, 1:] = block[:, :-1]
        rows = (block.astype(np.uint64) - before.astype(np.uint64)).astype(block.dtype).reshape(rows.shape)
    if layout.predictor == 3:
        raw = b"".join(_float_predicted(row, layout, block.shape[2]) for row in rows)
    else:
        raw = b"".join(_packed(row, layout) for row in rows)
    coded = _CODERS[layout.compression](raw, len(raw) // len(rows))
    return coded.translate(_TURNED) if layout.low_bit_first else coded


def _packed(row: npt.NDArray[np.generic], layout: Layout) -> bytes:
    """Return the bytes of one row of samples."""
    if layout.kind == FLOAT and layout.bits != 24:
        return row.astype(f"{layout.order}f{layout.bits // 8}").tobytes()
    if layout.bits in (8, 16, 32, 64):
        return row.astype(f"{layout.order}{'i' if layout.kind == INT else 'u'}{layout.bits // 8}").tobytes()
    if layout.bits == 24:
        octets = row.astype(f"{layout.order}u4").view(np.uint8).reshape(-1, 4)
        return (octets[:, :3] if layout.order == "<" else octets[:, 1:]).tobytes()
    bits = (row.astype(np.uint64)[:, np.newaxis] >> np.arange(layout.bits - 1, -1, -1, dtype=np.uint64)) & np.uint64(1)
    return np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes()


def _float_predicted(row: npt.NDArray[np.generic], layout: Layout, channels: int) -> bytes:
    """Bytes of equal significance together, most significant first, then differences (Adobe Technical Note 3)."""
    size = layout.bits // 8
    planes = np.frombuffer(row.astype(f">f{size}").tobytes(), np.uint8).reshape(-1, size).T.reshape(-1)
    before = np.zeros_like(planes)
    before[channels:] = planes[:-channels]
    return (planes - before).tobytes()


def _lzw(data: bytes, row: int) -> bytes:
    """LZW with a clear code before each byte needs no table, and keeps codes at 9 bits."""
    codes = [code for byte in data for code in (256, byte)] + [257]
    bits = (np.array(codes)[:, np.newaxis] >> np.arange(8, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes()


def _packbits(data: bytes, row: int) -> bytes:
    """Literal runs only, of one row at a time."""
    rows = (data[at : at + row] for at in range(0, len(data), row))
    runs = (each[at : at + 128] for each in rows for at in range(0, row, 128))
    return b"".join(bytes([len(run) - 1]) + run for run in runs)


_CODERS: Mapping[int, Callable[[bytes, int], bytes]] = {
    NONE: lambda data, row: data,
    LZW: _lzw,
    DEFLATE: lambda data, row: zlib.compress(data),
    PACKBITS: _packbits,
}
