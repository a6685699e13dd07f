"""models/quantizers/transparency/mirroring.py: unseen pixels repeat seen ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.pauses import at_each_pause
from models.quantizers.transparency import mirroring
from models.quantizers.transparency.mirroring import fill_by_mirrors, mirror


def sources(seen: str) -> str:
    """Write each place as the letter of its source; a place is seen where `seen` has a letter."""
    places = np.array([[character != "." for character in seen]])
    return "".join(seen[place] for place in mirror(places)[0])


@pytest.mark.parametrize(
    ("seen", "filled"),
    [
        ("abc", "abc"),
        ("...abc", "cbaabc"),
        ("ab....", "abbaab"),
        ("....ab", "abbaab"),
        ("a..b", "aabb"),
        ("ab.....cd", "abbaadccd"),
        ("a....bc", "aaacbbc"),
        (".a.", "aaa"),
    ],
)
def test_a_gap_mirrors_the_nearest_run(seen: str, filled: str) -> None:
    assert sources(seen) == filled


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 1000), st.sampled_from([0.02, 0.3, 0.9]))
def test_seen_pixels_stay_and_others_repeat_them(height: int, width: int, seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    seen = random.random((height, width)) < share
    seen.flat[random.integers(seen.size)] = True
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    filled = fill_by_mirrors(pixels, seen)
    assert np.array_equal(filled[seen], pixels[seen])
    assert {tuple(color) for color in filled.reshape(-1, 3)} <= {tuple(color) for color in pixels[seen]}


def test_colors_keep_their_shares() -> None:
    """The color at the border of an object must not fill the picture."""
    pixels = np.full((50, 200, 3), 10, np.uint8)
    pixels[:, 91:109] = 200
    seen = np.zeros((50, 200), np.bool_)
    seen[20:30, 90:110] = True
    assert (fill_by_mirrors(pixels, seen) == 200).mean() == pytest.approx(0.9, abs=0.02)


def test_rows_without_a_seen_pixel_repeat_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirroring, "_BAND", 3)
    pixels = np.arange(18, dtype=np.uint8).reshape(6, 1, 3)
    seen = np.array([[False], [False], [True], [True], [False], [False]])
    assert fill_by_mirrors(pixels, seen)[:, 0, 0].tolist() == [9, 6, 6, 9, 9, 6]


@pytest.mark.parametrize(
    ("shape", "pauses"), [((1024, 1024), 4), ((1024, 1025), 5), ((3, 1 << 18), 3), ((3, 300_000), 3)]
)
def test_work_pauses_after_a_quarter_of_a_megapixel(shape: tuple[int, int], pauses: int) -> None:
    """So much a canceled request waits for at most; a band is at least a row."""
    seen = np.zeros(shape, bool)
    seen[0, 0] = True
    calls: list[int] = []
    with at_each_pause(lambda: calls.append(1)):
        fill_by_mirrors(np.zeros((*shape, 3), np.uint8), seen)

    assert len(calls) == pauses
