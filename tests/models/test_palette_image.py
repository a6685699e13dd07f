"""PaletteImage is checked and immutable, and compact() keeps the picture."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models import palette_image
from models.palette_image import PaletteImage, nearest
from models.pauses import at_each_pause
from models.rgb import Pixels

repeatable = settings(derandomize=True, deadline=None, max_examples=60)


@st.composite
def palette_images(draw: st.DrawFn) -> PaletteImage:
    """Images up to 12 x 12 with any number of colors: some unused and, from a small set of levels, some equal."""
    levels = st.sampled_from([0, 1, 127, 255]) if draw(st.booleans()) else st.integers(0, 255)
    palette = draw(hnp.arrays(np.uint8, st.tuples(st.integers(1, 256), st.just(3)), elements=levels))
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
    return PaletteImage(draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, len(palette) - 1))), palette)


def image(indices: list[list[int]], palette: list[tuple[int, int, int]]) -> PaletteImage:
    return PaletteImage(np.array(indices, np.uint8), np.array(palette, np.uint8))


def test_reports_its_size_and_colors() -> None:
    small = image([[0, 1, 0], [1, 1, 0]], [(0, 0, 0), (255, 128, 1), (9, 9, 9)])

    assert (small.height, small.width, small.colors) == (2, 3, 3)
    assert small.hex_palette() == ("#000000", "#ff8001", "#090909")
    assert small.counts().tolist() == [3, 3, 0]
    assert small.counts().dtype == np.int64


def test_renders_each_index_as_its_palette_entry() -> None:
    rendered = image([[1, 0]], [(1, 2, 3), (4, 5, 6)]).render()

    assert rendered.tolist() == [[[4, 5, 6], [1, 2, 3]]]
    assert rendered.dtype == np.uint8


@pytest.mark.parametrize(("colors", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8)])
def test_bit_depth_is_the_smallest_that_holds_the_palette(colors: int, bits: int) -> None:
    assert PaletteImage(np.zeros((1, 1), np.uint8), np.zeros((colors, 3), np.uint8)).bit_depth == bits


@pytest.mark.parametrize(
    "indices",
    [
        np.zeros((2, 2), np.int64),
        np.zeros((2, 2, 1), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 2), np.uint8),
        np.full((1, 1), 2, np.uint8),
        [[0, 1]],
    ],
    ids=["dtype", "three axes", "one axis", "no pixels", "outside the palette", "a list"],
)
def test_refuses_other_indices(indices: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="ind"):
        PaletteImage(indices, np.zeros((2, 3), np.uint8))


@pytest.mark.parametrize(
    "palette",
    [
        np.zeros((2, 3), np.float32),
        np.zeros((2, 4), np.uint8),
        np.zeros((0, 3), np.uint8),
        np.zeros((257, 3), np.uint8),
        np.zeros(3, np.uint8),
        [(0, 0, 0)],
    ],
    ids=["dtype", "four channels", "empty", "257 colors", "one axis", "a list"],
)
def test_refuses_other_palettes(palette: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="palette"):
        PaletteImage(np.zeros((1, 1), np.uint8), palette)


def test_nothing_can_be_changed_afterwards() -> None:
    indices, palette = np.zeros((1, 2), np.uint8), np.zeros((2, 3), np.uint8)
    frozen = PaletteImage(indices, palette)

    indices[:], palette[:] = 1, 77  # the image has copies of the caller's arrays

    assert frozen.counts().tolist() == [2, 0]
    assert frozen.hex_palette() == ("#000000", "#000000")
    with pytest.raises(ValueError, match="read-only"):
        frozen.indices[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        frozen.palette[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        frozen.palette = palette  # type: ignore[misc]


def test_accepts_arrays_that_are_not_contiguous() -> None:
    indices = np.arange(6, dtype=np.uint8).reshape(2, 3).T
    turned = PaletteImage(indices, np.zeros((6, 3), np.uint8))

    assert turned.indices.flags.c_contiguous
    assert turned.indices.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_compact_drops_unused_entries_merges_equal_ones_and_keeps_the_order() -> None:
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)

    compacted = image([[4, 2], [1, 1]], [green, blue, red, green, blue]).compact()

    assert compacted == image([[0, 1], [0, 0]], [blue, red])


@repeatable
@given(palette_images())
def test_compact_is_the_same_picture_with_distinct_used_colors(original: PaletteImage) -> None:
    compacted = original.compact()

    np.testing.assert_array_equal(compacted.render(), original.render())
    assert compacted.counts().min() > 0
    assert len(set(compacted.hex_palette())) == compacted.colors
    assert compacted.compact() == compacted


@repeatable
@given(palette_images())
def test_counts_and_render_agree_with_plain_numpy(original: PaletteImage) -> None:
    np.testing.assert_array_equal(original.render(), original.palette[original.indices])
    np.testing.assert_array_equal(original.counts(), np.bincount(original.indices.ravel(), minlength=original.colors))


def test_bands_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(palette_image, "_BAND_PIXELS", 16)
    rng = np.random.default_rng(0)
    tall = PaletteImage(rng.integers(0, 9, (11, 5), np.uint8), rng.integers(0, 256, (9, 3), np.uint8))

    np.testing.assert_array_equal(tall.render(), tall.palette[tall.indices])
    assert tall.counts().sum() == 55


def test_equality_is_by_content() -> None:
    one = image([[0, 1]], [(1, 2, 3), (4, 5, 6)])

    assert one == image([[0, 1]], [(1, 2, 3), (4, 5, 6)])
    assert one != image([[1, 0]], [(1, 2, 3), (4, 5, 6)])
    assert one != image([[0, 1]], [(1, 2, 3), (4, 5, 7)])
    assert one != image([[0], [1]], [(1, 2, 3), (4, 5, 6)])
    assert one != "an image"


@repeatable
@given(
    pixels=hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    palette=hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.just(3))),
)
def test_the_nearest_color_is_the_first_at_the_least_distance(pixels: Pixels, palette: npt.NDArray[np.uint8]) -> None:
    distances = ((pixels[:, :, np.newaxis].astype(int) - palette) ** 2).sum(-1)
    assert np.array_equal(nearest(pixels, palette).indices, distances.argmin(-1))


def with_alpha(indices: list[list[int]], entries: list[tuple[int, int, int, int]]) -> PaletteImage:
    values = np.array(entries, np.uint8)
    return PaletteImage(np.array(indices, np.uint8), values[:, :3], values[:, 3])


def test_alpha_of_entries_is_rendered() -> None:
    picture = with_alpha([[0, 1], [1, 2]], [(1, 2, 3, 0), (4, 5, 6, 255), (7, 8, 9, 100)])
    assert picture.render_alpha().tolist() == [[0, 255], [255, 100]]
    assert picture.opacity().tolist() == [0, 255, 100]
    assert picture.alpha is not None and not picture.alpha.flags.writeable
    assert picture.render().tolist() == [[[1, 2, 3], [4, 5, 6]], [[4, 5, 6], [7, 8, 9]]]


def test_opaque_alpha_is_no_alpha() -> None:
    picture = with_alpha([[0, 1]], [(1, 2, 3, 255), (4, 5, 6, 255)])
    assert picture.alpha is None
    assert picture.opacity().tolist() == [255, 255]
    assert picture == image([[0, 1]], [(1, 2, 3), (4, 5, 6)])


def test_images_with_other_alpha_are_not_equal() -> None:
    one, other = (with_alpha([[0]], [(1, 2, 3, alpha)]) for alpha in (0, 1))
    assert one == with_alpha([[0]], [(1, 2, 3, 0)])
    assert one != other
    assert one != image([[0]], [(1, 2, 3)])


def test_compact_merges_entries_of_equal_color_and_alpha_alone() -> None:
    entries = [(1, 1, 1, 0), (1, 1, 1, 255), (1, 1, 1, 0), (9, 9, 9, 7)]
    compact = with_alpha([[2, 1, 0]], entries).compact()
    assert compact == with_alpha([[0, 1, 0]], entries[:2])
    assert with_alpha([[1, 1]], entries).compact() == image([[0, 0]], [(1, 1, 1)])


def test_over_a_background_is_correctly_rounded() -> None:
    levels = np.arange(256, dtype=np.uint8)
    picture = PaletteImage(levels[np.newaxis], np.full((256, 3), (0, 100, 255), np.uint8), levels)
    expected = levels[:, np.newaxis] / 255 * (0, 100, 255) + (1 - levels[:, np.newaxis] / 255) * (255, 30, 7)
    assert np.abs(picture.over((255, 30, 7))[0] - expected).max() <= 0.5 + 1e-9
    assert np.array_equal(image([[0]], [(1, 2, 3)]).over((9, 9, 9)), [[[1, 2, 3]]])


@repeatable
@given(palette_images(), st.randoms())
def test_another_order_of_the_palette_is_the_same_picture(picture: PaletteImage, random) -> None:  # type: ignore[no-untyped-def]
    alpha = np.array([random.randrange(256) for _ in range(picture.colors)], np.uint8)
    picture = PaletteImage(picture.indices, picture.palette, alpha)
    order = np.array(random.sample(range(picture.colors), picture.colors))
    other = picture.reordered(order)
    assert np.array_equal(other.palette, picture.palette[order])
    assert np.array_equal(other.render(), picture.render())
    assert np.array_equal(other.render_alpha(), picture.render_alpha())


@pytest.mark.parametrize(
    "alpha",
    [np.zeros(2, np.int64), np.zeros(3, np.uint8), np.zeros((2, 1), np.uint8), [0, 255]],
    ids=["dtype", "three entries", "two axes", "a list"],
)
def test_refuses_other_alpha(alpha: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"alpha must be None or a \(2,\) uint8 array"):
        PaletteImage(np.zeros((1, 1), np.uint8), np.zeros((2, 3), np.uint8), alpha)


@pytest.mark.parametrize(("height", "direct"), [(512, True), (513, False)])
def test_half_a_megapixel_is_compared_directly(height: int, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    for name in ("nearest_indices", "nearest_by_cells"):
        find = getattr(palette_image, name)

        def search(colors: Pixels, palette: Pixels, name: str = name, find: Any = find) -> Any:
            called.append(name)
            return find(colors, palette)

        monkeypatch.setattr(palette_image, name, search)

    nearest(np.zeros((height, 1024, 3), np.uint8), np.array([[0, 0, 0], [9, 9, 9]], np.uint8))

    assert called == ["nearest_indices" if direct else "nearest_by_cells"]


@pytest.mark.parametrize(("shape", "pauses"), [((1024, 1024), 1), ((1025, 1024), 2), ((2, 1 << 20), 2)])
def test_rendering_pauses_after_a_megapixel(shape: tuple[int, int], pauses: int) -> None:
    picture = PaletteImage(np.zeros(shape, np.uint8), np.zeros((1, 3), np.uint8))
    for work in (picture.render, picture.counts):
        calls: list[int] = []
        with at_each_pause(lambda calls=calls: calls.append(1)):  # type: ignore[misc]
            work()
        assert len(calls) == pauses
