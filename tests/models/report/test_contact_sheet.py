"""The contact sheet shows its tiles unchanged, marks kept predictions by color, and accepts any text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.report.contact_sheet import MOST_TILES, Failure, Row, Tile, draw, fit_tile, tile_side
from models.rgb import Pixels
from tests.models.image_files import picture


def tile(pixels: Pixels, *, title: str = "99 bytes", label: str = "cat", kept: bool = True) -> Tile:
    return Tile(pixels, title, label, 0.9, kept)


def corners(sheet: Pixels, pixels: Pixels) -> list[tuple[int, int]]:
    """Return (top, left) of every copy of `pixels` in the sheet."""
    height, width = pixels.shape[:2]
    candidates = np.argwhere((sheet == pixels[0, 0]).all(axis=2))
    return [(y, x) for y, x in candidates.tolist() if np.array_equal(sheet[y : y + height, x : x + width], pixels)]


def has_green(sheet: Pixels) -> bool:
    return bool((sheet[..., 1].astype(int) > sheet[..., 0].astype(int) + 50).any())


def has_red(sheet: Pixels) -> bool:
    return bool((sheet[..., 0].astype(int) > sheet[..., 1].astype(int) + 50).any())


def test_rows_and_columns_hold_the_tiles_unchanged() -> None:
    tiles = [np.roll(picture(60, 200), 50 * i, axis=1) for i in range(4)]
    rows = [Row("one", [tile(tiles[0]), tile(tiles[1])]), Row("two", [tile(tiles[2]), Failure(""), tile(tiles[3])])]
    sheet = draw(["a", "b", "c"], rows)

    [(top, left)], [(top_1, left_1)], [(top_2, left_2)], [(top_3, left_3)] = (corners(sheet, one) for one in tiles)
    assert (top, left) == (top_1, left_2) and top_2 == top_3 > top + 60
    assert left_1 - left == left_3 - left_1 >= 200


@pytest.mark.parametrize("kept", [True, False])
def test_the_label_is_green_where_kept_and_red_where_lost(kept: bool) -> None:
    sheet = draw(["original"], [Row("octree", [tile(np.full((8, 8, 3), 99, np.uint8), kept=kept)])])

    assert (has_green(sheet), has_red(sheet)) == (kept, not kept)


def test_a_failure_is_shown_in_a_gray_box() -> None:
    sheet = draw(["original"], [Row("octree", [Failure("The file is damaged. " * 9)])])

    assert (sheet == 0xEE).all(axis=2).sum() > 100 * 60
    assert (sheet.max(axis=2) < 0xC0).any() and not has_green(sheet) and not has_red(sheet)


def test_a_file_name_keeps_its_letters() -> None:
    def drawn(name: str) -> bytes:
        return draw([], [Row(name, [])]).tobytes()

    assert len({drawn("é"), drawn("кот"), drawn("tok"), drawn("ток")}) == 4


@given(st.text(), st.text(max_size=60), st.integers(1, 3))
def test_any_text_is_accepted_and_none_widens_the_sheet(text: str, label: str, columns: int) -> None:
    shown = tile(np.zeros((8, 8, 3), np.uint8), title=text, label=label)
    cells: list[Tile | Failure] = [shown, Failure(text)]
    sheet = draw([text] * columns, [Row(text, cells[:columns])])

    widest = draw(["x" * 99] * columns, [Row("x" * 99, [shown])])
    assert sheet.shape[1] <= widest.shape[1]


@pytest.mark.parametrize("text", ["\ud800.jpg", "x" * 2_000_000, "a\0b", "two\nlines"])
def test_unusual_texts_are_drawn(text: str) -> None:
    narrow = np.zeros((8, 8, 3), np.uint8)

    assert draw([text], [Row(text, [tile(narrow, title=text, label=text)])]).shape[1] < 400


def test_an_empty_sheet_is_drawn() -> None:
    assert draw([], []).ndim == 3


def test_a_cell_without_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match="more cells than the 1 columns"):
        draw(["original"], [Row("octree", [Failure("lost")] * 2)])


@given(st.integers(1, 700), st.integers(1, 700), st.integers(48, 256))
def test_fit_tile_fits_and_keeps_the_aspect(height: int, width: int, side: int) -> None:
    fitted = fit_tile(np.zeros((height, width, 3), np.uint8), side)

    assert max(fitted.shape[:2]) <= side < 2 * max(fitted.shape[:2])
    # Each side is off by at most half a pixel, or by what makes it one pixel.
    assert abs(fitted.shape[0] * width - fitted.shape[1] * height) <= max(height, width, side)


def test_small_pixels_become_squares_and_large_images_means() -> None:
    small = picture(2, 3)
    assert np.array_equal(fit_tile(small, 50)[::16, ::16], small) and fit_tile(small, 50).shape == (32, 48, 3)

    stripes = np.zeros((100, 100, 3), np.uint8)
    stripes[::2] = 200
    assert (fit_tile(stripes, 50) == 100).all()


@pytest.mark.parametrize("tiles", [500, MOST_TILES - MOST_TILES % 20])
def test_the_sides_of_tiles_keep_the_sheet_within_its_budget(tiles: int) -> None:
    assert (tile_side(1), tile_side(MOST_TILES), tile_side(10**6)) == (256, 48, 48)
    shown = tile(np.zeros((tile_side(tiles),) * 2 + (3,), np.uint8))
    height, width = draw([""] * 20, [Row("", [shown] * 20)] * (tiles // 20)).shape[:2]
    assert 15_000_000 < height * width < 16_300_000  # margins and headings come on top


def test_the_sides_of_tiles_are_as_large_as_the_budget_allows() -> None:
    """Each cell is a tile or 132 pixels wide, with 8 pixels to the next, and 52 pixels of caption and gap below."""

    def area(side: int) -> int:
        return (max(side, 132) + 8) * (side + 52)

    for tiles in (197, 300, 500, 800, 1100):
        side = tile_side(tiles)
        assert tiles * area(side) <= 16_000_000 < tiles * area(side + 1)
    assert MOST_TILES == 16_000_000 // area(48) == 1142
    assert (tile_side(196), tile_side(1142), tile_side(1143)) == (256, 48, 48)


def test_cells_and_texts_have_their_places() -> None:
    """Margins of 12 pixels, gaps of 8 between columns, captions of two lines of 18 below a row, then a gap of 16."""
    first, second = picture(60, 200), picture(50, 150)
    sheet = draw(["a", "b"], [Row("", [tile(first), tile(second)]), Row("", [tile(second)])])

    [(top, left)] = corners(sheet, first)
    [(_, left_1), (top_2, _)] = corners(sheet, second)
    assert (left, left_1 - left) == (12 + 8, 200 + 8)
    assert (top, top_2 - top) == (12 + 18 + 4, 60 + 36 + 16)
    assert sheet.shape[:2] == (12 + 18 + 60 + 50 + 2 * (36 + 16), 20 + 2 * 200 + 8 + 12)


def test_a_failure_fills_the_least_cell_with_its_caption() -> None:
    sheet = draw(["a"], [Row("", [Failure("")])])

    rows, columns = np.nonzero((sheet == 0xEE).all(axis=2))
    assert [int(np.ptp(each)) + 1 for each in (rows, columns)] == [36 + 36, 132]


def test_a_text_that_does_not_fit_ends_in_an_ellipsis_and_a_heading_has_two_lines() -> None:
    def drawn(heading: str) -> Pixels:
        return draw([heading], [])

    one, two = drawn("word"), drawn("a long heading of several words")
    assert two.shape[0] - one.shape[0] == 18
    assert drawn("a long heading of several words " * 5).shape == two.shape
    assert np.array_equal(drawn("x" * 300), drawn("x" * 5000))
    assert np.array_equal(drawn("two  \n lines"), drawn("two lines"))


@pytest.mark.parametrize("label", ["cat", "a very long label of many words that no cell holds", "x" * 400])
@pytest.mark.parametrize("kept", [True, False])
def test_the_label_of_a_tile_ends_inside_its_cell(label: str, kept: bool) -> None:
    """Mark, label and share together; the next column begins 8 pixels further right."""
    blank = np.full((40, 40, 3), 255, np.uint8)
    sheet = draw([""], [Row("", [tile(blank, title="", label=label, kept=kept)])])

    _, columns = np.nonzero((sheet < 200).any(axis=2))
    left = 12 + 8
    assert left <= columns.min() and columns.max() < left + 132
    if len(label) > 20:
        assert columns.max() >= left + 132 - 12  # the label takes the room that mark and share leave
