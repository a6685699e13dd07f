"""Fixed palettes: lists of colors, palettes by name, and files of GIMP.

The colors of the named palettes come from these sources:

    spectra6, acep7     the colors that Waveshare's drivers for E Ink Spectra 6 and ACeP panels expect, in their order
    spectra6_measured   the same inks as epdoptimize measured them on a panel, in the order of `spectra6`
    bwr, bwry           the colors that drivers of three- and four-color e-paper expect
    gameboy             the four shades of emulators of the first Game Boy
    cga                 IBM Color Graphics Adapter, mode 4, palette 1 in high intensity
    ega                 the sixteen default colors of IBM's Enhanced Graphics Adapter
    zx_spectrum         Sinclair ZX Spectrum: seven normal colors, seven bright ones, and black
    c64                 Commodore 64, as Philip Timmermann (Pepto) computed it from the video chip
    pico8               the sixteen colors of the fantasy console PICO-8 by Lexaloffle
    nord                the sixteen colors of the Nord theme by Sven Greb
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from models.color_range import MAX_COLORS, MIN_COLORS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GIMP = "GIMP Palette"  # first line of a .gpl file
_GIMP_FIELDS = ("name:", "columns:")
_HEX = re.compile(r"#?(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_LEVEL = re.compile(r"[0-9]{1,3}", re.ASCII)
_SHOWN = 40  # characters of a client's text that an error quotes

Color = tuple[int, int, int]


@dataclass(frozen=True)
class NamedPalette:
    """A palette with a name. colors: (K, 3) levels of sRGB. meaning: where the colors are from, for people."""

    name: str
    colors: tuple[Color, ...]
    meaning: str


def parse_palette(text: str) -> NDArray[np.uint8]:
    """Return the palette that a text describes as (K, 3) uint8 sRGB; see `parse_colors`."""
    import numpy as np  # here, so that clients check palettes without NumPy

    return np.array(parse_colors(text), np.uint8)


def parse_colors(text: str) -> tuple[Color, ...]:
    """Return the palette that a text describes, 2 to 256 different colors of sRGB, in the order of the text.

    The text is one of these:

        a list      colors of 3 or 6 hexadecimal digits, with or without #, between commas, spaces or line ends
        a name      one of `PALETTES`, in any case, with - or _
        a file      the text of a GIMP palette (.gpl), which begins with the line "GIMP Palette"

    Raises:
        ValueError: the text is none of these, repeats a color, or has fewer than 2 or more than 256 colors. The message
            is one sentence for the client.
    """
    text = text.removeprefix("\ufeff").strip()
    named = PALETTES.get(text.lower().replace("-", "_"))
    if named is not None:
        return named.colors
    return _checked(_gimp_colors(text) if text.startswith(_GIMP) else _listed_colors(text))


def hex_color(color: Iterable[int]) -> str:
    """Return a color of three levels as "#rrggbb"."""
    return "#" + "".join(f"{level:02x}" for level in color)


def _listed_colors(text: str) -> list[Color]:
    words = text.replace(",", " ").split()
    if not words:
        raise ValueError("the palette is empty; list its colors, such as #000,#fff,#f00")
    for word in words:
        if _HEX.fullmatch(word) is None:
            raise ValueError(_not_a_color(word, alone=len(words) == 1))
    return [_hex_levels(word.removeprefix("#")) for word in words]


def _not_a_color(word: str, *, alone: bool) -> str:
    quoted = _quote(word)
    if alone and not word.startswith("#"):
        names = ", ".join(PALETTES)
        return f"there is no palette named {quoted}; list colors, such as #000,#fff, or name one of {names}"
    return f"{quoted} is no color; write each color of the palette with 3 or 6 hexadecimal digits, such as #f80"


def _gimp_colors(text: str) -> list[Color]:
    colors = []
    for number, line in enumerate(text.splitlines()[1:], start=2):
        line = line.strip()
        if not line or line.startswith("#") or line.lower().startswith(_GIMP_FIELDS):
            continue
        words = line.split(maxsplit=3)[:3]
        levels = [int(word) for word in words if _LEVEL.fullmatch(word)]
        if len(levels) < 3 or max(levels) > 255:
            expected = "red, green and blue from 0 to 255"
            raise ValueError(f"line {number} of the GIMP palette does not begin with {expected}: {_quote(line)}")
        colors.append((levels[0], levels[1], levels[2]))
    return colors


def _checked(colors: list[Color]) -> tuple[Color, ...]:
    if not MIN_COLORS <= len(colors) <= MAX_COLORS:
        count = "1 color" if len(colors) == 1 else f"{len(colors)} colors"
        raise ValueError(f"the palette has {count}; it needs {MIN_COLORS} to {MAX_COLORS}")
    seen: set[Color] = set()
    for color in colors:
        if color in seen:
            raise ValueError(f"the palette repeats the color {hex_color(color)}; list each color once")
        seen.add(color)
    return tuple(colors)


def _hex_levels(digits: str) -> Color:
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def _quote(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _named(name: str, colors: str, meaning: str) -> NamedPalette:
    return NamedPalette(name, tuple(_listed_colors(colors)), meaning)


def _grays(count: int) -> str:
    return " ".join(hex_color([level * 255 // (count - 1)] * 3) for level in range(count))


_ALL = (
    _named("bw", "000 fff", "black and white: displays and printers of one bit"),
    _named("bwr", "000 fff f00", "e-paper with a red ink"),
    _named("bwry", "000 fff ff0 f00", "e-paper with a yellow and a red ink"),
    _named("spectra6", "000 fff ff0 f00 00f 0f0", "E Ink Spectra 6: the colors that its drivers expect"),
    _named(
        "spectra6_measured",
        "212122 b9b1b1 c8af4b 610e0e 4152a0 193d1e",
        "E Ink Spectra 6: its inks as a panel shows them",
    ),
    _named("acep7", "000 fff 0f0 00f f00 ff0 ff8000", "E Ink ACeP, seven colors: the colors that its drivers expect"),
    _named("gray4", _grays(4), "even grays of two bits"),
    _named("gray16", _grays(16), "even grays of four bits"),
    _named("gameboy", "0f380f 306230 8bac0f 9bbc0f", "the first Game Boy"),
    _named("cga", "000 5ff f5f fff", "IBM CGA: black, cyan, magenta and white"),
    _named("ega", "000 00a 0a0 0aa a00 a0a a50 aaa 555 55f 5f5 5ff f55 f5f ff5 fff", "IBM EGA, default colors"),
    _named(
        "zx_spectrum",
        "000 0000d7 d70000 d700d7 00d700 00d7d7 d7d700 d7d7d7 00f f00 f0f 0f0 0ff ff0 fff",
        "Sinclair ZX Spectrum",
    ),
    _named(
        "c64",
        "000 fff 68372b 70a4b2 6f3d86 588d43 352879 b8c76f 6f4f25 433900 9a6759 444 6c6c6c 9ad284 6c5eb5 959595",
        "Commodore 64",
    ),
    _named(
        "pico8",
        "000 1d2b53 7e2553 008751 ab5236 5f574f c2c3c7 fff1e8 ff004d ffa300 ffec27 00e436 29adff 83769c ff77a8 ffccaa",
        "PICO-8",
    ),
    _named(
        "nord",
        "2e3440 3b4252 434c5e 4c566a d8dee9 e5e9f0 eceff4 8fbcbb 88c0d0 81a1c1 5e81ac "
        "bf616a d08770 ebcb8b a3be8c b48ead",
        "the Nord theme",
    ),
)

PALETTES: Mapping[str, NamedPalette] = MappingProxyType({palette.name: palette for palette in _ALL})
"""The named palettes, those of displays first."""
