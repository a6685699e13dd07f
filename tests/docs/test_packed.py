"""The decoder in docs/packed.md reads what the service writes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.codecs import packed
from models.palette_image import PaletteImage

PAGE = Path(__file__).resolve().parents[2] / "docs" / "packed.md"


@pytest.fixture(scope="module")
def unpack() -> Callable[[bytes], Any]:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)
    decoder: Callable[[bytes], Any] = names["unpack"]
    return decoder


@pytest.mark.parametrize(
    ("colors", "width", "height", "effort"),
    [(1, 3, 2, "max"), (2, 32, 32, "max"), (5, 140, 9, "max"), (16, 11, 30, "max"), (40, 33, 20, "max"),
     (2, 9, 3, "fast"), (16, 11, 30, "fast"), (200, 7, 300, "fast")],
)  # fmt: skip
@pytest.mark.parametrize("smooth", [False, True])
def test_the_decoder_of_the_page_equals_the_real_one(
    unpack: Callable[[bytes], Any], colors: int, width: int, height: int, effort: Any, smooth: bool
) -> None:
    random = np.random.default_rng(colors + width)
    y, x = np.mgrid[:height, :width]
    indices = (x * colors // width + y // 5) % colors if smooth else random.integers(0, colors, (height, width))
    palette = random.integers(0, 256, (colors, 3), dtype=np.uint8)
    alpha = random.integers(0, 256, colors, dtype=np.uint8) if colors % 2 else None
    file = packed.encode(PaletteImage(indices.astype(np.uint8), palette, alpha), effort=effort)

    found_width, found_height, found_palette, found_alpha, rows = unpack(file)

    image = packed.decode(file, max_pixels=1 << 14)
    opacity = None if found_alpha is None else np.array(found_alpha, np.uint8)
    assert (found_width, found_height) == (width, height)
    assert image == PaletteImage(np.array(rows, np.uint8), np.array(found_palette, np.uint8), opacity)


def test_both_kinds_are_read(unpack: Callable[[bytes], Any]) -> None:
    image = PaletteImage(np.zeros((8, 8), np.uint8), np.zeros((2, 3), np.uint8))
    files = packed.encode(image), packed.encode(image, effort="fast")
    assert [file[0] & 1 for file in files] == [1, 0]
    assert unpack(files[0]) == unpack(files[1])
    with pytest.raises(AssertionError):
        unpack(files[0][:-1])
