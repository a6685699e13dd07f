"""Color spaces that are stated by numbers: published matrices, points of published curves, and the limits of both."""

import struct
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageCms

from models.decoding.color_space import SRGB_PRIMARIES, profile_of_code_points, profile_of_gamma

DISPLAY_P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def tags_of(profile: bytes | None) -> dict[bytes, bytes]:
    assert profile is not None
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * at) for at in range(count)]
    return {name: profile[start : start + size] for name, start, size in entries}


def matrix_of(profile: bytes | None) -> NDArray[np.float64]:
    """XYZ of red, green and blue as columns."""
    tags = tags_of(profile)
    columns = [np.array(struct.unpack(">3i", tags[name][8:])) / 65536 for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    return np.stack(columns, axis=1)


def light(profile: bytes | None, level: float, name: bytes = b"gTRC") -> float:
    """The light of a level, both 0 to 1, between the points of the curve."""
    curve = tags_of(profile)[name]
    (count,) = struct.unpack_from(">I", curve, 8)
    points = np.frombuffer(curve, ">u2", count, 12) / 65535
    return float(np.interp(level, np.linspace(0, 1, count), points))


# From Bruce Lindbloom, "RGB/XYZ Matrices", Bradford-adapted to D50; for P3 and BT.2020 from the ICC's profiles.
MATRICES = {
    1: [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]],
    4: [[0.6343706, 0.1852204, 0.1446290], [0.3109496, 0.5915984, 0.0974520], [-0.0011817, 0.0555518, 0.7708399]],
    5: [[0.4552773, 0.3675500, 0.1413926], [0.2323025, 0.7077956, 0.0599019], [0.0145457, 0.1049154, 0.7057489]],
    6: [[0.4163290, 0.3931464, 0.1547446], [0.2216999, 0.7032549, 0.0750452], [0.0136576, 0.0913604, 0.7201920]],
    7: [[0.4163290, 0.3931464, 0.1547446], [0.2216999, 0.7032549, 0.0750452], [0.0136576, 0.0913604, 0.7201920]],
    9: [[0.67348, 0.16568, 0.12508], [0.27904, 0.67535, 0.04561], [-0.00193, 0.02998, 0.79689]],
    12: [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]],
}


@pytest.mark.parametrize("primaries", MATRICES)
def test_primaries_have_their_published_matrices(primaries: int) -> None:
    matrix = matrix_of(profile_of_code_points(primaries, 8, gray=False))

    assert np.abs(matrix - MATRICES[primaries]).max() < 1.5e-3  # the sources round the white point in several ways
    assert matrix.sum(axis=1) == pytest.approx([0.9642, 1.0, 0.8249], abs=1e-4)


def test_theater_p3_has_the_primaries_of_display_p3_and_another_white() -> None:
    theater, display = (matrix_of(profile_of_code_points(each, 8, gray=False)) for each in (11, 12))

    assert theater.sum(axis=1) == pytest.approx(display.sum(axis=1), abs=1e-4)
    assert 0.005 < np.abs(theater - display).max() < 0.05


@pytest.mark.parametrize(
    ("transfer", "points"),
    [
        (4, {0.5: 0.5**2.2, 0.9: 0.9**2.2}),
        (5, {0.5: 0.5**2.8, 0.9: 0.9**2.8}),
        (8, {0.25: 0.25, 0.5: 0.5}),
        *((srgb, {0.02: 0.02 / 12.92, 0.5: 0.21404, 0.8: 0.60383}) for srgb in (1, 6, 13, 14, 15)),
    ],
)
def test_transfer_functions_have_their_published_points(transfer: int, points: dict[float, float]) -> None:
    profile = profile_of_code_points(9, transfer, gray=False)

    for level, expected in points.items():
        assert light(profile, level) == pytest.approx(expected, rel=0.01)
    assert (light(profile, 0), light(profile, 1)) == (0, 1)
    assert tags_of(profile)[b"rTRC"] == tags_of(profile)[b"gTRC"] == tags_of(profile)[b"bTRC"]


@pytest.mark.parametrize(("primaries", "transfer"), [(0, 8), (2, 8), (3, 8), (8, 8), (10, 8), (13, 8), (22, 8)])
def test_reserved_primaries_are_refused(primaries: int, transfer: int) -> None:
    with pytest.raises(ValueError, match=f"primaries {primaries} and transfer function 8"):
        profile_of_code_points(primaries, transfer, gray=False)


@pytest.mark.parametrize("transfer", [0, 2, 3, 7, 9, 10, 11, 12, 16, 17, 18, 19])
def test_reserved_and_unusual_transfer_functions_are_refused(transfer: int) -> None:
    with pytest.raises(ValueError, match=f"transfer function {transfer}"):
        profile_of_code_points(1, transfer, gray=False)


@pytest.mark.parametrize("transfer", [1, 6, 13, 14, 15])
def test_srgb_needs_no_profile_and_gray_has_no_primaries(transfer: int) -> None:
    assert profile_of_code_points(1, transfer, gray=False) is None
    assert profile_of_code_points(12, transfer, gray=True) is None
    assert profile_of_code_points(12, transfer, gray=False) is not None
    assert tags_of(profile_of_code_points(12, 8, gray=True)).keys() == {b"wtpt", b"kTRC"}


@pytest.mark.parametrize(
    ("gamma", "is_srgb"), [(0.43, False), (0.433, True), (0.4545, True), (0.477, True), (0.48, False)]
)
def test_a_gamma_within_5_percent_of_the_usual_one_means_srgb(gamma: float, is_srgb: bool) -> None:
    for gray in (False, True):
        assert (profile_of_gamma(gamma, None, gray=gray) is None) is is_srgb


@pytest.mark.parametrize("place", range(8))
def test_chromaticities_within_half_a_hundredth_of_the_usual_ones_mean_srgb(place: int) -> None:
    for shift, is_srgb in ((0.0049, True), (-0.0049, True), (0.0051, False), (-0.0051, False)):
        moved = [value + shift * (at == place) for at, value in enumerate(SRGB_PRIMARIES)]
        primaries = (*moved[:4], *moved[4:])
        profile = profile_of_gamma(1 / 2.2, primaries, gray=False)  # type: ignore[arg-type]
        assert (profile is None) is is_srgb
        assert profile_of_gamma(1 / 2.2, primaries, gray=True) is None  # type: ignore[arg-type]


def test_gamma_is_the_power_of_light_that_was_stored() -> None:
    assert light(profile_of_gamma(1.0, None, gray=False), 0.5) == pytest.approx(0.5, abs=1e-3)
    assert light(profile_of_gamma(0.5, None, gray=False), 0.5) == pytest.approx(0.25, abs=1e-3)
    assert light(profile_of_gamma(0.5, None, gray=True), 0.5, b"kTRC") == pytest.approx(0.25, abs=1e-3)
    assert np.abs(matrix_of(profile_of_gamma(1.0, DISPLAY_P3, gray=False)) - MATRICES[12]).max() < 1e-3


@pytest.mark.parametrize(
    ("place", "last", "refused"),
    [(3, 0.001, 0.0), (2, 0.0, -0.001), (2, 0.67, 0.6702), (5, 0.7, 0.7002)],
    ids=["y above 0", "x from 0", "sum of red up to 1", "sum of green up to 1"],
)
def test_chromaticities_of_no_color_are_refused(place: int, last: float, refused: float) -> None:
    for value, accepted in ((last, True), (refused, False)):
        primaries = list(SRGB_PRIMARIES)
        primaries[place] = value
        if accepted:
            assert profile_of_gamma(1.0, (*primaries,), gray=False)  # type: ignore[arg-type]
        else:
            with pytest.raises(ValueError, match="no color"):
                profile_of_gamma(1.0, (*primaries,), gray=False)  # type: ignore[arg-type]


def test_primaries_on_a_line_are_refused() -> None:
    with pytest.raises(ValueError, match="on a line"):
        profile_of_gamma(1.0, (0.3127, 0.329, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4), gray=False)


@pytest.mark.parametrize(("gray", "space"), [(False, "RGB "), (True, "GRAY")])
def test_the_profile_is_one_that_lcms_reads(gray: bool, space: str) -> None:
    profile = profile_of_gamma(1.0, DISPLAY_P3, gray=gray)
    assert profile is not None

    read = ImageCms.ImageCmsProfile(BytesIO(profile)).profile

    assert struct.unpack_from(">I", profile)[0] == len(profile)
    assert (read.xcolor_space, read.connection_space, read.device_class) == (space, "XYZ ", "mntr")
    assert (read.version, profile[36:40]) == (2.1, b"acsp")
    assert read.media_white_point is not None
    assert read.media_white_point[0] == pytest.approx([0.9642, 1.0, 0.8249], abs=1e-4)
