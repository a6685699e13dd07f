"""models/pauses.py: a hook decides what a pause does, in its own thread and block only."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from models.codecs import packed, png
from models.palette_image import PaletteImage, nearest
from models.pauses import at_each_pause, pause
from models.quantizers.classical.catalog import CLASSICAL
from models.rgb import Pixels


class Ended(Exception):
    """Raised by a hook that ends the work."""


class EndAt:
    """Hook that ends the work at a pause, counted from 1."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.pauses = 0

    def __call__(self) -> None:
        self.pauses += 1
        if self.pauses == self.last:
            raise Ended


def test_the_innermost_hook_is_called_and_nothing_outside_of_a_block() -> None:
    calls: list[str] = []
    pause()
    with at_each_pause(lambda: calls.append("outer")):
        pause()
        with at_each_pause(lambda: calls.append("inner")):
            pause()
        pause()
    pause()

    assert calls == ["outer", "inner", "outer"]


def test_a_hook_belongs_to_its_thread() -> None:
    calls: list[int] = []
    with at_each_pause(lambda: calls.append(1)):
        other = threading.Thread(target=pause)
        other.start()
        other.join()

    assert calls == []


def test_the_hook_is_gone_after_it_ended_the_work() -> None:
    with pytest.raises(Ended), at_each_pause(EndAt(1)):
        pause()
    pause()


PHOTO = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
GRAYS = PaletteImage(PHOTO[..., 0] // 32, np.arange(8, dtype=np.uint8)[:, np.newaxis].repeat(3, 1))

PACKED = packed.encode(PaletteImage(np.sort(GRAYS.indices, axis=0), GRAYS.palette))


def quantize(name: str) -> Callable[[], PaletteImage]:
    return lambda: CLASSICAL[name].quantize(PHOTO, 16)


@pytest.mark.parametrize(
    "work",
    [
        *map(quantize, ("median_cut", "median_cut_by_error", "kmeans", "kmeans_oklab", "wu", "wu_nearest")),
        lambda: nearest(PHOTO, GRAYS.palette),
        GRAYS.render,
        lambda: png.encode(GRAYS, effort="max"),
        lambda: packed.encode(GRAYS),
        lambda: packed.decode(PACKED, max_pixels=64 * 64),
    ],
)
def test_long_work_on_all_pixels_pauses_after_each_band(
    work: Callable[[], PaletteImage | Pixels | bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "models.quantizers.base._BAND",
        "models.codecs.png._BAND_BYTES",
        "models.nearest._BAND",
        "models.palette_image._BAND_PIXELS",
        "models.quantizers.classical.median_cut._MAX_PIXELS",
    ):
        monkeypatch.setattr(name, 512)
    end = EndAt(5)
    with pytest.raises(Ended), at_each_pause(end):
        work()

    assert end.pauses == 5
