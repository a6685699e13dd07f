"""Bytes of samples as numbers: byte order, bits that cross bytes, and both predictors, on rows written by hand."""

import struct

import numpy as np
import pytest

from models.decoding.tiff.layout import Layout
from models.decoding.tiff.numbers import numbers
from models.decoding.tiff.tags import Compression, Kind, Photometric


def layout(bits: int, width: int, *, channels: int = 1, kind: Kind = Kind.UNSIGNED, predictor: int = 1) -> Layout:
    return Layout(
        width=width,
        height=1,
        channels=channels,
        bits=bits,
        kind=kind,
        photometric=Photometric.RGB if channels == 3 else Photometric.BLACK_IS_ZERO,
        planar=False,
        compression=Compression.NONE,
        predictor=predictor,
        reversed_bits=False,
        tiled=False,
        segment_width=width,
        segment_height=1,
        segments=((8, 9),),
    )


def rows(*data: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("bits", "kind", "code", "values"),
    [
        (8, Kind.UNSIGNED, "B", [0, 1, 255]),
        (8, Kind.SIGNED, "b", [-128, -1, 127]),
        (16, Kind.UNSIGNED, "H", [1, 0x1234, 65535]),
        (16, Kind.SIGNED, "h", [-32768, -2, 7]),
        (32, Kind.UNSIGNED, "I", [1, 0x12345678, 2**32 - 1]),
        (64, Kind.SIGNED, "q", [-(2**63), -2, 7]),
        (32, Kind.FLOAT, "f", [-0.5, 1.25, 3e30]),
        (64, Kind.FLOAT, "d", [-0.5, 1.25, 3e300]),
    ],
)
def test_whole_bytes_are_read_in_either_order(
    order: str, bits: int, kind: Kind, code: str, values: list[float]
) -> None:
    data = rows(struct.pack(f"{order}3{code}", *values), struct.pack(f"{order}3{code}", *values[::-1]))

    read = numbers(data, layout(bits, 3, kind=kind), order)

    assert read.shape == (2, 3, 1)
    assert read[..., 0].tolist() == np.array([values, values[::-1]], read.dtype).tolist()


@pytest.mark.parametrize(("order", "data"), [("<", "563412 010000"), (">", "123456 000001")])
def test_24_bits_are_three_bytes_in_the_order_of_the_file(order: str, data: str) -> None:
    assert numbers(rows(bytes.fromhex(data)), layout(24, 2), order)[0, :, 0].tolist() == [0x123456, 1]


@pytest.mark.parametrize(
    ("bits", "values"),
    [
        (1, [1, 0, 1, 1]),
        (2, [0, 1, 2, 3]),
        (3, [0, 1, 2, 3, 4]),
        (7, [1, 2, 127]),
        (10, [1, 259, 1020]),
        (12, [0x123, 0xFFF]),
        (15, [1, 32767]),
        (17, [1, 0x1FFFF]),
        (31, [1, 2**31 - 1]),
    ],
)
def test_packed_samples_have_their_highest_bit_first_in_either_order(bits: int, values: list[int]) -> None:
    packed = "".join(f"{value:0{bits}b}" for value in values)
    whole = int(packed.ljust(-(-len(packed) // 8) * 8, "0"), 2).to_bytes(-(-len(packed) // 8))

    for order in "<>":
        assert numbers(rows(whole, whole), layout(bits, len(values)), order)[1, :, 0].tolist() == values


@pytest.mark.parametrize("channels", [1, 3])
def test_differences_are_summed_along_each_channel_and_wrap(channels: int) -> None:
    stored = np.array([[[250, 1, 2][:channels], [10, 1, 1][:channels], [255, 5, 0][:channels]]], np.uint8)

    read = numbers(stored.reshape(1, -1), layout(8, 3, channels=channels, predictor=2), "<")

    assert read.tolist() == np.cumsum(stored, axis=1, dtype=np.uint8).tolist()
    assert read[0, :, 0].tolist() == [250, 4, 3]


@pytest.mark.parametrize("order", ["<", ">"])
def test_differences_of_16_bits_are_those_of_numbers_not_of_bytes(order: str) -> None:
    data = rows(struct.pack(f"{order}3H", 255, 1, 65535))

    assert numbers(data, layout(16, 3, predictor=2), order)[0, :, 0].tolist() == [255, 256, 255]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [2, 4, 8])
def test_floats_are_put_together_from_their_summed_bytes(size: int, channels: int) -> None:
    """Technical Note 3: the first bytes of all samples, then the second, and so on; then differences of bytes."""
    values = np.linspace(-2, 3, 4 * channels).astype(f">f{size}").reshape(1, -1)
    planes = np.frombuffer(values.tobytes(), np.uint8).reshape(-1, size).T.reshape(1, -1).astype(int)
    stored = planes.copy()
    stored[:, channels:] -= planes[:, :-channels]
    wide = layout(8 * size, 4, channels=channels, kind=Kind.FLOAT, predictor=3)

    read = numbers((stored % 256).astype(np.uint8), wide, "<")

    assert read.reshape(1, -1).tolist() == values.astype(f"f{size}").tolist()
