"""Strips and tiles: their padding is no part of the picture, and bands of rows join to it whatever their size."""

import numpy as np
import pytest

from models.decoding.decode import decode
from models.decoding.tiff import segments
from models.decoding.tiff.directory import read_directory
from models.decoding.tiff.layout import read_layout
from models.decoding.tiff.segments import read_samples
from models.errors import BadImage
from tests.models.tiff_files import BLACK_IS_ZERO, DEFLATE, NONE, RGB, Layout, write_tiff

LAYOUTS = [
    Layout(compression=compression, planar=planar, tile=tile, rows=rows)
    for compression in (NONE, DEFLATE)
    for planar in (1, 2)
    for tile, rows in ((0, 1), (0, 7), (0, 99), (16, 0))
]


def bands_of(file: bytes) -> list[np.ndarray]:
    directory = read_directory(file)
    return list(read_samples(file, directory, read_layout(directory, len(file), 10**6)))


def drawn(height: int = 21, width: int = 35) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize(("group", "together"), [(1, 256), (300, 2), (1 << 20, 256)])
def test_bands_of_any_size_join_to_the_picture(
    layout: Layout, group: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_GROUP_BYTES", group)
    monkeypatch.setattr(segments, "_GROUP_SEGMENTS", together)

    bands = bands_of(write_tiff(drawn(), layout))

    assert all(band.shape[1:] == (35, 3) for band in bands)
    np.testing.assert_array_equal(np.concatenate(bands), drawn())


@pytest.mark.parametrize("compression", [NONE, DEFLATE])
def test_the_padding_of_tiles_does_not_change_the_range_of_the_picture(compression: int) -> None:
    """The tiles are filled up with zeros, below every number of the picture."""
    samples = np.linspace(10, 30, 21 * 35).reshape(21, 35, 1).astype(np.int64)
    layout = Layout(bits=32, photometric=BLACK_IS_ZERO, compression=compression, tile=16)

    pixels = decode(write_tiff(samples, layout)).pixels[..., 0]

    assert (pixels[0, 0], pixels[-1, -1]) == (0, 255)
    assert pixels.shape == (21, 35)


@pytest.mark.parametrize("missing", [1, 35 * 3, 100_000])
@pytest.mark.parametrize("rows", [7, 99])
def test_a_strip_that_lacks_a_byte_is_refused_and_one_with_more_is_not(rows: int, missing: int) -> None:
    layout = Layout(photometric=RGB, rows=rows)
    whole = write_tiff(drawn(), layout)
    directory = read_directory(whole)
    offsets, counts = directory.numbers(273), directory.numbers(279)
    short = whole[: offsets[-1] + max(0, counts[-1] - missing)]

    def read(data: bytes) -> list[np.ndarray]:
        return list(read_samples(data, directory, read_layout(directory, len(whole), 10**6)))

    with pytest.raises(BadImage, match="part of the picture is missing"):
        read(short)
    np.testing.assert_array_equal(np.concatenate(read(whole + bytes(missing))), drawn())


@pytest.mark.parametrize("bits", [1, 4, 12])
@pytest.mark.parametrize("compression", [NONE, DEFLATE])
def test_the_padding_of_rows_to_whole_bytes_is_skipped(bits: int, compression: int) -> None:
    samples = np.random.default_rng(1).integers(0, 1 << bits, (9, 7, 1))
    layout = Layout(bits=bits, photometric=BLACK_IS_ZERO, compression=compression, rows=4)

    np.testing.assert_array_equal(np.concatenate(bands_of(write_tiff(samples, layout))), samples)
