"""What samples mean: ranges without a standard white, alpha, pages, and the notes on them."""

import struct

import numpy as np
import pytest

from models.decoding.decode import decode
from models.decoding.tiff.reader import WIDE_NOTE
from tests.models.tiff_files import BLACK_IS_ZERO, CMYK, FLOAT, INT, RGB, UINT, Layout, write_tiff


@pytest.mark.parametrize(
    ("kind", "bits", "values", "levels"),
    [
        (UINT, 32, [0, 1 << 31, (1 << 32) - 1], [0, 128, 255]),
        (UINT, 32, [1 << 30, 1 << 31, 3 << 30], [64, 128, 191]),
        (UINT, 32, [10, 20, 30], [0, 128, 255]),
        (UINT, 24, [0, 1 << 23, (1 << 24) - 1], [0, 128, 255]),
        (UINT, 64, [0, 1 << 62, 1 << 63], [0, 64, 128]),
        (INT, 16, [-100, 0, 100], [0, 128, 255]),
        (FLOAT, 32, [0.0, 0.25, 1.0], [0, 64, 255]),
        (FLOAT, 64, [-1e300, 0.0, 1e300], [0, 128, 255]),
        (FLOAT, 16, [0.0, 2.0, 4.0], [0, 128, 255]),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_samples_without_a_standard_white_are_scaled_with_a_note(
    kind: int, bits: int, values: list[float], levels: list[int], channels: int
) -> None:
    """All channels of color share one scale, so that no hue changes."""
    dtype = np.float64 if kind == FLOAT else np.int64 if kind == INT else np.uint64
    samples = np.array(values, dtype)[np.newaxis, :, np.newaxis].repeat(channels, axis=2)
    layout = Layout(bits=bits, kind=kind, photometric=RGB if channels == 3 else BLACK_IS_ZERO)

    decoded = decode(write_tiff(samples, layout))

    assert decoded.pixels[0, :, 0].tolist() == levels
    assert decoded.notes == (WIDE_NOTE,)


def test_channels_of_color_share_one_scale() -> None:
    samples = np.array([[[0, 50, 200], [100, 100, 100]]])

    assert decode(write_tiff(samples, Layout(bits=32))).pixels[0].tolist() == [[0, 64, 255], [128, 128, 128]]


def test_alpha_does_not_change_the_scale_of_color() -> None:
    samples = np.array([[[0.0, 1.0], [0.5, 1.0], [4.0, 0.5]]])

    decoded = decode(write_tiff(samples, Layout(bits=32, kind=FLOAT, photometric=BLACK_IS_ZERO, extra=(2,))))

    assert decoded.pixels[0, :, 0].tolist() == [0, 32, 255]
    assert decoded.notes == (WIDE_NOTE, "alpha composited over #ffffff")


def test_cmyk_may_have_alpha() -> None:
    samples = np.array([[[0, 0, 0, 255, 255], [0, 0, 0, 255, 0]]])

    decoded = decode(write_tiff(samples, Layout(photometric=CMYK, extra=(2,))), background=(1, 2, 3))

    assert decoded.pixels[0].tolist() == [[0, 0, 0], [1, 2, 3]]


@pytest.mark.parametrize(("channels", "photometric"), [(2, BLACK_IS_ZERO), (4, RGB)])
@pytest.mark.parametrize(("extra", "shown"), [((), 255), ((2,), 255), ((999,), 255), ((0,), 9)])
def test_an_unexplained_last_channel_is_alpha_and_an_unspecified_one_is_not(
    channels: int, photometric: int, extra: tuple[int, ...], shown: int
) -> None:
    samples = np.full((1, 1, channels), 9)
    samples[..., -1] = 0

    assert decode(write_tiff(samples, Layout(photometric=photometric, extra=extra))).pixels[0, 0, 0] == shown


def test_a_plane_that_means_nothing_may_be_missing() -> None:
    samples = np.full((7, 3, 2), 9)
    layout = Layout(photometric=BLACK_IS_ZERO, planar=2, extra=(0,), rows=7)
    whole = write_tiff(samples, layout)

    offsets = struct.pack("<2I", 8, 30)
    assert offsets in whole
    assert np.unique(decode(whole.replace(offsets, struct.pack("<2I", 8, 1 << 30))).pixels).tolist() == [9]


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_invalid_orientation_turns_nothing(orientation: int) -> None:
    samples = np.arange(6).reshape(2, 3, 1)

    decoded = decode(write_tiff(samples, Layout(photometric=BLACK_IS_ZERO, tags={274: ("H", [orientation])})))

    assert (decoded.pixels.shape, decoded.notes) == ((2, 3, 3), ())
