import subprocess
import sys

import numpy as np
import pytest

from models.palettes import PALETTES, parse_colors, parse_palette

GIMP = """GIMP Palette
Name: Three inks
Columns: 3
# a comment
  0   0   0\tBlack
255 255 255 White paper
200  30  10
"""


@pytest.mark.parametrize(
    "text",
    ["#000,#fff,#f00", "000 fff f00", "#000000, #FFFFFF , #ff0000", "#000\n#fff\r\nf00", " 000,\tfff,f00, "],
)
def test_list_of_colors(text: str) -> None:
    palette = parse_palette(text)

    assert palette.dtype == np.uint8
    assert palette.tolist() == [[0, 0, 0], [255, 255, 255], [255, 0, 0]]


def test_three_digits_are_doubled() -> None:
    assert parse_palette("#1af,#2b0").tolist() == [[0x11, 0xAA, 0xFF], [0x22, 0xBB, 0x00]]


@pytest.mark.parametrize("name", list(PALETTES))
def test_named_palette_is_a_valid_palette(name: str) -> None:
    palette = parse_palette(name)

    assert palette.shape == (len(PALETTES[name].colors), 3)
    assert 2 <= len(palette) <= 256
    assert len(np.unique(palette, axis=0)) == len(palette)


def test_sizes_of_named_palettes() -> None:
    assert {name: len(palette.colors) for name, palette in PALETTES.items()} == {
        "bw": 2,
        "bwr": 3,
        "bwry": 4,
        "spectra6": 6,
        "spectra6_measured": 6,
        "acep7": 7,
        "gray4": 4,
        "gray16": 16,
        "gameboy": 4,
        "cga": 4,
        "ega": 16,
        "zx_spectrum": 15,
        "c64": 16,
        "pico8": 16,
        "nord": 16,
    }


def test_grays_are_even() -> None:
    assert parse_palette("gray4")[:, 0].tolist() == [0, 85, 170, 255]
    assert np.diff(parse_palette("gray16").astype(int), axis=0).tolist() == [[17, 17, 17]] * 15


@pytest.mark.parametrize("name", ["ZX-Spectrum", " zx_spectrum\n", "zx-spectrum"])
def test_names_in_any_spelling(name: str) -> None:
    assert np.array_equal(parse_palette(name), PALETTES["zx_spectrum"].colors)


def test_a_name_that_is_hexadecimal_is_the_name() -> None:
    assert len(parse_palette("c64")) == 16
    assert parse_palette("c64 fff").tolist() == [[0xCC, 0x66, 0x44], [255, 255, 255]]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_gimp_palette(end: str) -> None:
    palette = parse_palette("\ufeff" + GIMP.replace("\n", end))

    assert palette.tolist() == [[0, 0, 0], [255, 255, 255], [200, 30, 10]]


def test_colors_without_numpy() -> None:
    assert parse_colors("#000,#fff,#f00") == ((0, 0, 0), (255, 255, 255), (255, 0, 0))
    assert parse_colors("gameboy") == PALETTES["gameboy"].colors
    module = "import sys; sys.modules['numpy'] = None; import models.palettes as palettes; palettes.parse_colors('bw')"
    assert subprocess.run([sys.executable, "-c", module], check=False).returncode == 0


def test_256_colors() -> None:
    assert len(parse_palette(",".join(f"{level:06x}" for level in range(256)))) == 256


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "is empty"),
        (" , ", "is empty"),
        ("spectra7", r"no palette named 'spectra7'.*#000,#fff.* bw, bwr, .*spectra6, .*nord$"),
        ("#fff", "has 1 color; it needs 2 to 256"),
        (",".join(f"{level:06x}" for level in range(257)), "has 257 colors; it needs 2 to 256"),
        ("#000,#fff,#000000", "repeats the color #000000"),
        ("#000,#ffff", "'#ffff' is no color; .* 3 or 6 hexadecimal digits"),
        ("#000,red", "'red' is no color"),
        ("#000,##fff", "'##fff' is no color"),
        ("#" + "z" * 10_000, r"'#z{39}\.\.\.' is no color"),
        ("GIMP Palette\n", "has 0 colors"),
        ("GIMP Palette\n0 0 0\n0 0 256 x", "line 3 of the GIMP palette .* 0 to 255: '0 0 256 x'"),
        ("GIMP Palette\n#\n0 0\n", "line 3 of"),
        ("GIMP Palette\n0 -1 0\n", "line 2 of"),
        ("GIMP Palette\n1.5 1 0\n", "line 2 of"),
        ("GIMP Palette\n0 0 0\n255 255 255\n0 0 0 again", "repeats the color #000000"),
        ("GIMP Palette\n\u0661 0 0\n", "line 2 of"),
    ],
)
def test_errors(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error) as caught:
        parse_palette(text)
    assert "\n" not in str(caught.value)
