"""Draw the samples of the page: `python -m docs.generator.samples` writes them into service/web/samples.

A balloon over hills, with shades that a palette must render, and a clock on a transparent ground. The third sample, the
cat, is a copy of tests/photos/cat.jpg.
"""

from __future__ import annotations

import math
import shutil

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from docs.generator.reports import ROOT
from models.rgb import Pixels

SAMPLES = ROOT / "service" / "web" / "samples"
CAT = ROOT / "tests" / "photos" / "cat.jpg"

_FINE = 4  # pixels drawn along a side for each pixel of a sample
_BALLOON_SIZE = (560, 420)  # pixels
_CLOCK_SIDE = 420

Color = tuple[int, int, int]

_SKY_ABOVE, _SKY_BELOW = (78, 146, 214), (214, 232, 244)
_HILLS = ((0.80, (96, 140, 110), 0.3), (0.86, (66, 112, 70), 1.9), (0.93, (46, 86, 48), 3.1))  # height, color, phase
_GORES = ((214, 40, 40), (247, 183, 49), (34, 112, 178), (240, 240, 235))  # cloth of the balloon, in turn
_GORE_COUNT = 12  # on the half that is seen
_BLACK, _RED, _FACE = (28, 29, 33), (196, 40, 32), (248, 246, 238)
_RIM = ((0.96, (44, 46, 52)), (0.912, (92, 96, 104)), (0.864, (34, 36, 41)), (0.835, _FACE))  # radius, color
_HANDS = ((305, 0.48, 0.035, _BLACK), (54, 0.72, 0.025, _BLACK), (190, 0.76, 0.009, _RED))  # degrees, length, width


def main() -> None:
    """Write the samples."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    balloon().save(SAMPLES / "balloon.png", optimize=True)
    clock().save(SAMPLES / "clock.png", optimize=True)
    shutil.copyfile(CAT, SAMPLES / CAT.name)


def balloon() -> Image.Image:
    """Return a balloon over hills, 560x420 RGB."""
    width, height = (_FINE * side for side in _BALLOON_SIZE)
    picture = _sky(width, height)
    _draw_hills(ImageDraw.Draw(picture))
    center, radius = (width / 2, 0.37 * height), 0.30 * height
    picture = Image.fromarray(_with_envelope(np.asarray(picture), center, radius))
    _draw_basket(ImageDraw.Draw(picture), center[0], center[1] + 1.4 * radius, radius)
    return picture.resize(_BALLOON_SIZE, Image.Resampling.LANCZOS)


def _sky(width: int, height: int) -> Image.Image:
    depth = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(_SKY_ABOVE) * (1 - depth) + np.array(_SKY_BELOW) * depth
    return Image.fromarray(rows.repeat(width, axis=1).astype(np.uint8))


def _draw_hills(draw: ImageDraw.ImageDraw) -> None:
    width, height = draw.im.size
    for level, color, phase in _HILLS:
        angles = [(x, 6 * x / width + phase) for x in range(0, width + 1, 8)]
        ridge = [(x, height * (level - 0.04 * math.sin(a) - 0.016 * math.sin(2.5 * a))) for x, a in angles]
        draw.polygon([(0, height), *ridge, (width, height)], fill=color)


def _with_envelope(pixels: Pixels, center: tuple[float, float], radius: float) -> Pixels:
    """Return the pixels, (H, W, 3) uint8, with the cloth of a balloon: a half sphere above, a taper below."""
    rows, columns = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]]
    down = (rows - center[1]) / radius  # -1 at the top, 1.4 at the mouth
    taper = np.clip((down - 0.25) / 1.15, 0, 1) ** 1.35
    half = np.where(down < 0.25, np.sqrt(np.clip(1 - down**2, 0, 1)), 0.968 * (1 - taper) + 0.13 * taper)
    across = (columns - center[0]) / np.maximum(half * radius, 1e-6)
    inside = (down > -1) & (down < 1.4) & (np.abs(across) < 1)
    longitude = np.arcsin(np.clip(across, -1, 1))
    gore = (longitude / math.pi + 0.5) * _GORE_COUNT
    light = 0.62 + 0.38 * np.clip(0.9 * np.cos(longitude + 0.6) + 0.1 - 0.25 * down, 0, 1)
    light *= np.where(np.abs(gore % 1 - 0.5) > 0.47, 0.8, 1)  # the seams
    cloth = np.array(_GORES)[gore.astype(int) % len(_GORES)] * light[..., None]
    return np.where(inside[..., None], cloth, pixels).clip(0, 255).astype(np.uint8)


def _draw_basket(draw: ImageDraw.ImageDraw, x: float, mouth: float, radius: float) -> None:
    half, top = 0.13 * radius, mouth + 0.22 * radius
    for share in (-1, -0.35, 0.35, 1):
        draw.line([(x + share * half, mouth), (x + 0.9 * share * half, top)], fill=(60, 45, 35), width=2 * _FINE)
    box = [x - half, top, x + half, top + 0.2 * radius]
    draw.rounded_rectangle(box, radius=3 * _FINE, fill=(122, 78, 40), outline=(70, 44, 22), width=_FINE)
    for row in (1, 2, 3):
        y = top + 0.05 * row * radius
        draw.line([(x - half, y), (x + half, y)], fill=(92, 58, 30), width=_FINE)


def clock() -> Image.Image:
    """Return a clock at six minutes to ten past ten, 420x420 RGBA, transparent around it."""
    side = _FINE * _CLOCK_SIDE
    picture = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(picture)
    for share, color in _RIM:
        _draw_disc(draw, side, share, color)
    for minute in range(60):
        long = minute % 5 == 0
        ends = (_at(side, 6 * minute, 0.80), _at(side, 6 * minute, 0.68 if long else 0.75))
        draw.line(ends, fill=_BLACK, width=_FINE * (7 if long else 3))
    font = ImageFont.load_default(size=0.082 * side)
    for hour in range(1, 13):
        draw.text(_at(side, 30 * hour, 0.576), str(hour), font=font, fill=_BLACK, anchor="mm")
    for hand in _HANDS:
        _draw_hand(draw, side, *hand)
    _draw_disc(draw, side, 0.048, _RED)
    return picture.resize((_CLOCK_SIDE, _CLOCK_SIDE), Image.Resampling.LANCZOS)


def _at(side: int, degrees: float, share: float) -> tuple[float, float]:
    """Return the point of the dial at an angle from twelve o'clock. share: of the way from the center to the edge."""
    angle, length = math.radians(degrees), share * side / 2
    return side / 2 + length * math.sin(angle), side / 2 - length * math.cos(angle)


def _draw_disc(draw: ImageDraw.ImageDraw, side: int, share: float, color: Color) -> None:
    radius = share * side / 2
    draw.ellipse([side / 2 - radius, side / 2 - radius, side / 2 + radius, side / 2 + radius], fill=color)


def _draw_hand(draw: ImageDraw.ImageDraw, side: int, degrees: float, length: float, width: float, color: Color) -> None:
    """Draw a hand that is half as wide at its tip, and reaches a little behind the center."""
    x, y = (width * side / 2 * part for part in (math.cos(math.radians(degrees)), math.sin(math.radians(degrees))))
    back, tip = _at(side, degrees + 180, 0.15), _at(side, degrees, 0.96 * length)
    corners = [(back, 1.0), (tip, 0.5), (tip, -0.5), (back, -1.0)]
    draw.polygon([(point[0] + part * x, point[1] + part * y) for point, part in corners], fill=color)


if __name__ == "__main__":
    main()
