"""Transparency beside the quantizers, which see opaque pixels alone: which entries of a palette are not opaque."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.palette_image import MAX_COLORS, PaletteImage
from models.pauses import pause
from models.quantizers.base import MIN_COLORS, Backdrop, bands, exact
from models.quantizers.classical.kmeans import fit_centers
from models.quantizers.transparency.alpha_dither import dithered
from models.quantizers.transparency.mirroring import fill_by_mirrors
from models.rgb import Pixels

_CLEAR, _HALF, _OPAQUE = 0, 128, 255
_NEARLY = 8  # levels of alpha that nobody sees
_FEW = 0.002  # share of partial pixels among the visible ones up to which alpha counts as binary
_FEWEST_WITH_GRADES = 8  # entries; with fewer, an opaque color is worth more than a grade for the edges alone
_ONE_COLOR = 16.0  # levels; root of the mean squared deviation of pixels that count as one color
_SAMPLE = 50_000  # partial pixels that their entries are fitted to, about
_BAND = 1 << 18  # pixels at a time
_PART = 1 << 15  # pixels whose distances to entries are computed at a time

_Coordinates = NDArray[np.float64]
"""(N, 4), see `_coordinates`."""
_NO_GRADES: _Coordinates = np.empty((0, 4))


@dataclass(frozen=True, eq=False)
class Transparency:
    """An image with alpha: what a quantizer gets of it, and the alpha of what the quantizer returns. Make it with `of`.

    The palette has opaque entries, which the quantizer chooses, at most one transparent entry, and grades: entries for
    partly transparent pixels. An image that is nowhere opaque has its highest alpha in place of 255.

    pixels: (H, W, 3) uint8 sRGB, what the quantizer gets: the colors of the image, and in its transparent parts mirrors
        of the others, so that these parts bring no color into the palette.
    colors: number of colors that the quantizer gets.
    straight: (H, W, 3) uint8 sRGB, the colors of the image, not multiplied by alpha.
    alpha: (H, W) uint8, of the image.
    levels: (256,) uint8, what each alpha counts as: 0 for transparent, 255 for opaque.
    top: alpha of the entries of the quantizer.
    clear: whether there is a transparent entry.
    grades: (G, 4) float64, coordinates of the grades.
    fixed_palette: whether the palette keeps all its entries in their order.
    """

    pixels: Pixels
    colors: int
    straight: Pixels
    alpha: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    top: int
    clear: bool
    grades: _Coordinates
    fixed_palette: bool

    @classmethod
    def of(cls, straight: Pixels, alpha: NDArray[np.uint8], count: int, *, fixed_palette: bool = False) -> Self | None:
        """Share the entries of a palette among opaque, partly transparent and transparent pixels.

        From 8 entries on, the share of grades is half of the share that partly transparent pixels have among the
        visible ones, and there is at least one. More entries become grades where the opaque pixels have few colors.
        Without grades edges are cut at the middle of alpha. Smooth alpha is dithered between the entries in any case.

        Args:
            straight: (H, W, 3) uint8 sRGB, not multiplied by alpha.
            alpha: (H, W) uint8.
            count: the most entries of the result, 2 to 256; with a fixed palette, the number of its colors.
            fixed_palette: whether the quantizer has a fixed palette. The result then has no grades, and one transparent
                entry beside the palette, the last one.

        Returns:
            None where the entries do not suffice for transparency, so that the image must be composited: 2 entries for
            an image of several colors, and a fixed palette of 256.
        """
        histogram = np.bincount(alpha.ravel(), minlength=256)
        top = int(np.flatnonzero(histogram)[-1])
        levels = _levels(top, histogram)
        partial = int(histogram[_partial(levels)].sum())
        clear = bool(histogram[levels == _CLEAR].any() or (fixed_palette and partial))
        if fixed_palette and count + clear > MAX_COLORS:
            return None
        seen = levels[alpha] >= _HALF
        pixels = fill_by_mirrors(straight, seen) if seen.any() else np.zeros_like(straight)
        if fixed_palette:
            return cls(pixels, count, straight, alpha, levels, _OPAQUE, clear, _NO_GRADES, fixed_palette)
        if count - clear < MIN_COLORS and _is_one_color(pixels):
            pixels = np.full_like(pixels, np.rint(pixels.reshape(-1, 3).mean(axis=0)))
        elif count - clear < MIN_COLORS:
            return None
        share = partial / max(1, int(histogram[levels != _CLEAR].sum()))
        graded = _number_of_grades(pixels, count, share, clear=clear) if partial else 0
        if partial and not graded and not clear:
            return None
        grades = fit_centers(_sample(straight, alpha, levels, partial), graded) if graded else _NO_GRADES
        left = max(MIN_COLORS, count - clear - graded)
        return cls(pixels, left, straight, alpha, levels, top, clear, grades, fixed_palette)

    def backdrop(self, background: tuple[int, int, int]) -> Backdrop:
        """Return what is seen of the image over a background."""
        return Backdrop(self.levels[self.alpha], background)

    def apply(self, image: PaletteImage) -> PaletteImage:
        """Return the image that a quantizer made of `pixels` and `colors` with alpha.

        Where alpha changes slowly, it is dithered between the alphas of the entries. A partly transparent pixel then
        gets the closest entry, over white and over black: the one that the quantizer chose for it, a grade, or the
        transparent one. Without a fixed palette the result is compact.
        """
        grades, alpha = _colors(self.grades)
        shown = (
            self.pixels[:: max(1, len(self.pixels) // 64)].reshape(-1, 3).mean(axis=0)
        )  # where a viewer ignores alpha
        clear = np.rint([shown] * self.clear).reshape(-1, 3).astype(np.uint8)
        opacity = np.concatenate([np.full(image.colors, _OPAQUE), alpha, [_CLEAR] * self.clear])
        result = PaletteImage(
            self._indices(image, np.unique(opacity)),
            np.concatenate([image.palette, grades, clear]),
            np.rint(opacity * (self.top / _OPAQUE)).astype(np.uint8),
        )
        return result if self.fixed_palette else result.compact()

    def _indices(self, image: PaletteImage, steps: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return the index map of the result. steps: the alphas of its entries, increasing."""
        indices = image.indices.copy()
        own = _coordinates(image.palette, np.full(image.colors, _OPAQUE))
        others = np.concatenate([self.grades, np.zeros((int(self.clear), 4))])
        height = max(1, _BAND // image.width)
        for top in range(0, image.height, height):
            rows, above = slice(top, top + height), max(0, top - 1)
            level = dithered(self.levels[self.alpha[above : top + height + 1]], steps, above)[top - above :][:height]
            part, colors, level = indices[rows].reshape(-1), self.straight[rows].reshape(-1, 3), level.reshape(-1)
            if self.clear:  # without that entry, its index may be 256
                part[level == _CLEAR] = image.colors + len(self.grades)
            at = np.flatnonzero(_partial(level))
            for some in np.array_split(at, -(-max(1, len(at)) // _PART)):
                places = _coordinates(colors[some], level[some])
                nearest, distance = _nearest(places, others)
                closer = distance < np.square(places - own[part[some]]).sum(axis=1)
                part[some[closer]] = image.colors + nearest[closer]
            pause()
        return indices


def _levels(top: int, histogram: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return what each alpha counts as: `top` as 255, and what nobody can tell from 0 or 255 as these.

    All levels are 0 or 255 where few pixels have others.
    """
    levels = np.rint(np.arange(256) * (_OPAQUE / max(1, top))).clip(_CLEAR, _OPAQUE)
    levels[levels <= _NEARLY] = _CLEAR
    levels[levels >= _OPAQUE - _NEARLY] = _OPAQUE
    if histogram[_partial(levels)].sum() <= _FEW * histogram[levels != _CLEAR].sum():
        levels = np.where(levels < _HALF, _CLEAR, _OPAQUE)
    return np.asarray(levels, np.uint8)


def _partial(levels: NDArray[np.generic]) -> NDArray[np.bool_]:
    return np.asarray((levels != _CLEAR) & (levels != _OPAQUE))


def _is_one_color(pixels: Pixels) -> bool:
    mean = pixels.reshape(-1, 3).mean(axis=0)
    return bool(np.mean([np.square(band - mean).sum(axis=1).mean() for band in bands(pixels)]) <= _ONE_COLOR**2)


def _number_of_grades(pixels: Pixels, count: int, share: float, *, clear: bool) -> int:
    """Return how many of `count` entries partly transparent pixels get.

    share: of these pixels among the visible ones, 0 to 1.
    """
    left = count - clear
    simple = exact(pixels, left)
    needed = left if simple is None else simple.colors
    by_share = 0
    if count >= _FEWEST_WITH_GRADES or not clear:
        by_share = min(count // 2, max(1, round(count * share / 2)))
    return min(max(by_share, left - needed), left - min(MIN_COLORS, needed))


def _sample(straight: Pixels, alpha: NDArray[np.uint8], levels: NDArray[np.uint8], partial: int) -> _Coordinates:
    """Return coordinates of some of the `partial` pixels that are partly transparent."""
    random, found = np.random.default_rng(0), []
    for colors, part in zip(bands(straight), bands(alpha), strict=True):
        at = np.flatnonzero(_partial(levels[part]))
        if partial > _SAMPLE:
            at = at[random.random(len(at)) < _SAMPLE / partial]
        found.append(_coordinates(colors[at], levels[part[at]]))
    return np.concatenate(found)


def _nearest(places: _Coordinates, entries: _Coordinates) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the nearest of (E, 4) entries for each of (N, 4) places, and its squared distance; infinity for E = 0."""
    if not len(entries):
        return np.zeros(len(places), np.intp), np.full(len(places), np.inf)
    distances = np.square(entries).sum(axis=1) - 2 * places @ entries.T
    nearest = distances.argmin(axis=1)
    return nearest, np.square(places - entries[nearest]).sum(axis=1)


def _coordinates(colors: NDArray[np.uint8], alpha: NDArray[np.integer]) -> _Coordinates:
    """Return coordinates whose squared distance is the mean of the squared errors over white and over black, (N, 4).

    With the color times alpha, p, and its error dp, the error is dp over black, and dp - da in each channel over white.
    The mean of the squares is |dp - da / 2|^2 + 3 / 4 da^2.

    colors: (N, 3), straight. alpha: (N,), 0 to 255.
    """
    opacity = alpha[:, np.newaxis].astype(np.float64)
    return np.concatenate([colors * (opacity / _OPAQUE) - opacity / 2, np.sqrt(3 / 4) * opacity], axis=1)


def _colors(coordinates: _Coordinates) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the straight colors, (N, 3) uint8, and the alpha, (N,) uint8, of coordinates."""
    opacity = coordinates[:, 3:] / np.sqrt(3 / 4)
    colors = (coordinates[:, :3] + opacity / 2) * (_OPAQUE / np.maximum(opacity, 1))
    return np.rint(colors).clip(0, _OPAQUE).astype(np.uint8), np.rint(opacity[:, 0]).clip(0, _OPAQUE).astype(np.uint8)
