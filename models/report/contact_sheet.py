"""Draw a contact sheet: images quantized by several methods in several numbers of colors, with their predictions.

A sheet resembles figure 2 of the ColorCNN paper: a row for each method, a column for each number of colors, and a label
under each tile. The label is green where the prediction is kept, or right where the true class is known, else red.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.rgb import Pixels

# All sizes are in pixels.
_MARGIN, _GAP = 12, 8  # around the sheet and between its columns
_ROW_GAP = 16  # between rows
_TEXT, _LINE = 13, 18  # size of the letters and distance of their lines
_HEADING_LINES = 2  # of a column, at most
_CAPTION = 2 * _LINE  # under each tile: the prediction, then the title
_CELL = 132  # least width of a cell, for a readable caption under a small tile; most width of a row heading
_FAILURE = 2 * _LINE  # least height of the box of a failure, which covers the caption too
_LEAST_SIDE, _LARGEST_SIDE = 48, 256  # of a tile
_BUDGET = 16_000_000  # for the cells of a sheet

_MAX_LETTERS = 300  # of a text; more never fit
_BLACK, _GRAY, _GREEN, _RED, _PALE = "#202020", "#666666", "#0a7d26", "#b3201b", "#eeeeee"

# File names contain Latin, Greek, Cyrillic and other letters. Matplotlib's font has them; Pillow's has only ASCII.


def _fonts() -> Path:
    """Return the folder of matplotlib's fonts, without an import of matplotlib, which takes a quarter of a second."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise ImportError("matplotlib is not installed")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


_FONTS = _fonts()
_PLAIN = ImageFont.truetype(_FONTS / "DejaVuSans.ttf", _TEXT)
_BOLD = ImageFont.truetype(_FONTS / "DejaVuSans-Bold.ttf", _TEXT)


@dataclass(frozen=True, eq=False)
class Tile:
    """One image with its caption.

    Attributes:
        pixels: (h, w, 3) uint8 sRGB, drawn without scaling; see `fit_tile`.
        title: last line of the caption, for instance the size of the file.
        label, probability: a class and its probability, 0 to 1.
        kept: whether the caption is green: the prediction is kept, or right where the true class is known.
    """

    pixels: Pixels
    title: str
    label: str
    probability: float
    kept: bool


@dataclass(frozen=True)
class Failure:
    """The reason why a tile could not be made, drawn in its place."""

    text: str


@dataclass(frozen=True)
class Row:
    """One row of the sheet. heading: for instance the name of a method. cells: from the first column on."""

    heading: str
    cells: Sequence[Tile | Failure]


def fit_tile(pixels: Pixels, side: int) -> Pixels:
    """Scale (H, W, 3) uint8 so that its longer side is at most `side` pixels.

    A larger image is averaged. A smaller image grows by the largest whole factor that fits, so that every pixel stays
    a square of one color.
    """
    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer <= side:
        return pixels.repeat(side // longer, axis=0).repeat(side // longer, axis=1)
    size = (max(1, round(width * side / longer)), max(1, round(height * side / longer)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def tile_side(tiles: int) -> int:
    """Return the longer side, 48 to 256 pixels, at which all tiles with captions need at most 16 megapixels.

    Beyond MOST_TILES the side stays 48 pixels, and the sheet grows with the number of tiles.
    """
    sides = range(_LARGEST_SIDE, _LEAST_SIDE, -1)
    return next((side for side in sides if tiles * _cell_area(side) <= _BUDGET), _LEAST_SIDE)


def draw(columns: Sequence[str], rows: Sequence[Row]) -> Pixels:
    """Draw the sheet, dark on white, with a heading over each column and beside each row.

    Texts may have any length and any characters; an ellipsis replaces the part that does not fit. Returns (H, W, 3)
    uint8 sRGB. Raises ValueError for a row with more cells than there are columns.
    """
    if any(len(row.cells) > len(columns) for row in rows):
        raise ValueError(f"a row has more cells than the {len(columns)} columns")
    tiles = [cell for row in rows for cell in row.cells if isinstance(cell, Tile)]
    cell_width = max([_CELL, *(tile.pixels.shape[1] for tile in tiles)])
    first = _MARGIN + max((_heading_width(row) for row in rows), default=0) + _GAP
    lefts = [first + i * (cell_width + _GAP) for i in range(len(columns))]
    heights = [_row_height(row) for row in rows]
    headings = [_wrap(heading, cell_width, _HEADING_LINES, _BOLD) for heading in columns]
    top = _MARGIN + _LINE * max((len(lines) for lines in headings), default=1)
    height = top + sum(heights) + len(rows) * (_CAPTION + _ROW_GAP)
    image = Image.new("RGB", (first + len(columns) * (cell_width + _GAP) - _GAP + _MARGIN, height), "white")
    for left, lines in zip(lefts, headings, strict=True):
        _write(image, (left, _MARGIN), lines, _BLACK, _BOLD)
    top += 4
    for row, row_height in zip(rows, heights, strict=True):
        _draw_row(image, row, top, lefts, (cell_width, row_height))
        top += row_height + _CAPTION + _ROW_GAP
    return np.asarray(image)


def _cell_area(side: int) -> int:
    return (max(side, _CELL) + _GAP) * (side + _CAPTION + _ROW_GAP)


MOST_TILES = _BUDGET // _cell_area(_LEAST_SIDE)
"""Number of tiles of 48 pixels a side that fit into 16 megapixels: 1,142."""


def _heading_width(row: Row) -> int:
    return math.ceil(min(_CELL, _BOLD.getlength(" ".join(row.heading[:_MAX_LETTERS].split()))))


def _row_height(row: Row) -> int:
    """Return the height of the tiles of a row, without captions."""
    heights = [cell.pixels.shape[0] if isinstance(cell, Tile) else _FAILURE for cell in row.cells]
    return max(heights, default=_FAILURE)


def _draw_row(image: Image.Image, row: Row, top: int, lefts: Sequence[int], size: tuple[int, int]) -> None:
    """Draw the cells of a row. size: (width, height) of the box of a tile."""
    width, height = size[0], size[1] + _CAPTION
    _write(image, (_MARGIN, top), _wrap(row.heading, _CELL, height // _LINE, _BOLD), _BLACK, _BOLD)
    for left, cell in zip(lefts, row.cells, strict=False):
        if isinstance(cell, Tile):
            _draw_tile(image, cell, (left, top), size)
        else:
            box = (left, top, left + width - 1, top + height - 1)
            ImageDraw.Draw(image).rectangle(box, fill=_PALE)
            lines = _wrap(cell.text, width - 2 * _GAP, (height - _GAP) // _LINE, _PLAIN)
            _write(image, (left + _GAP, top + _GAP // 2), lines, _GRAY)


def _draw_tile(image: Image.Image, tile: Tile, corner: tuple[int, int], size: tuple[int, int]) -> None:
    image.paste(Image.fromarray(tile.pixels), corner)
    left, below = corner[0], corner[1] + size[1] + 2
    mark, share = "✓ " if tile.kept else "✗ ", f", {100 * tile.probability:.0f} %"  # readable without colors
    label = _shorten(tile.label, size[0] - _PLAIN.getlength(mark + share))
    _write(image, (left, below), [mark + label + share], _GREEN if tile.kept else _RED)
    _write(image, (left, below + _LINE), [_shorten(tile.title, size[0])], _GRAY)


def _shorten(text: str, width: float, font: ImageFont.FreeTypeFont = _PLAIN) -> str:
    """Return `text` on one line; an ellipsis replaces the end of a text wider than `width` pixels."""
    text = " ".join(text[:_MAX_LETTERS].split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _wrap(text: str, width: float, max_lines: int, font: ImageFont.FreeTypeFont) -> list[str]:
    """Return at most `max_lines` lines of whole words; the last line holds the rest, cut with an ellipsis."""
    words = text[:_MAX_LETTERS].split()
    lines: list[str] = []
    while words and len(lines) < max_lines - 1:
        fitting = [n for n in range(1, len(words) + 1) if font.getlength(" ".join(words[:n])) <= width]
        count = max(fitting, default=1)
        lines.append(_shorten(" ".join(words[:count]), width, font))
        words = words[count:]
    return [*lines, _shorten(" ".join(words), width, font)] if words else lines


def _write(
    image: Image.Image,
    corner: tuple[int, int],
    lines: Sequence[str],
    color: str,
    font: ImageFont.FreeTypeFont = _PLAIN,
) -> None:
    for i, line in enumerate(lines):
        ImageDraw.Draw(image).text((corner[0], corner[1] + i * _LINE), line, color, font)
