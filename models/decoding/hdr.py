"""Colors of high dynamic range as sRGB: the transfer functions PQ and HLG, and the mapping of their light to a display.

Browsers do not cut off light brighter than white: Chromium scales each color by (1 + a m) / (1 + b m), where m is its
largest channel, so that the brightest light of the picture becomes white. This module does the same. Sources: ITU-R
BT.2100 for both functions, ITU-R BT.2408 for the white of 203 cd/m2, and Chromium's ui/gfx/color_transform.cc.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.decoding.color_space import PRIMARIES, SRGB_PRIMARIES, rgb_to_xyz

PQ, HLG = 16, 18
"""Code points of transfer functions (H.273, table 3)."""

DEFAULT_PEAK = 1000.0
"""Brightest light of a picture in cd/m2, where the file states none."""

_WHITE = 203.0  # cd/m2
_REC2020 = 9

_Light = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HdrColors:
    """A color space of high dynamic range.

    Attributes:
        primaries: code point of H.273, table 2.
        transfer: PQ or HLG.
        peak: brightest light of the picture in cd/m2; HLG always has that of its display, DEFAULT_PEAK.
    """

    primaries: int
    transfer: int
    peak: float = DEFAULT_PEAK

    def apply(self, colors: Image.Image) -> Image.Image:
        """Return an image of mode L or RGB in this color space as an sRGB image of mode RGB."""
        levels = np.asarray(colors.convert("RGB"))
        source = rgb_to_xyz(PRIMARIES[self.primaries])
        wide = rgb_to_xyz(PRIMARIES[_REC2020])
        light = self._light(levels, source[1]) @ (np.linalg.inv(wide) @ source).T
        mapped = light * self._scale(light.max(axis=-1, keepdims=True))
        linear = np.clip(mapped @ (np.linalg.inv(rgb_to_xyz(SRGB_PRIMARIES)) @ wide).T, 0, 1)
        coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        return Image.fromarray(np.rint(255 * coded).astype(np.uint8))

    def _light(self, levels: npt.NDArray[np.uint8], luminance: _Light) -> _Light:
        """Return linear light, 1 for white. luminance: of red, green and blue."""
        samples = np.arange(256) / 255
        if self.transfer == PQ:
            return np.asarray(_pq(samples)[levels])
        scene = _hlg(samples)[levels]
        bright = np.maximum(scene @ luminance, 1e-9)[..., np.newaxis]
        return np.asarray(scene * bright**0.2 * (DEFAULT_PEAK / _WHITE))

    def _scale(self, brightest: _Light) -> _Light | float:
        peak = (self.peak if self.transfer == PQ else DEFAULT_PEAK) / _WHITE
        return (1 + brightest / peak**2) / (1 + np.maximum(brightest, 0)) if peak > 1 else 1.0


def hdr_colors(primaries: int, transfer: int, peak: float = DEFAULT_PEAK) -> HdrColors | None:
    """Return the color space of these code points; None if it is not of high dynamic range or has other primaries."""
    return HdrColors(primaries, transfer, peak) if transfer in (PQ, HLG) and primaries in PRIMARIES else None


def _pq(levels: _Light) -> _Light:
    root = levels ** (1 / 78.84375)
    light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return np.asarray(light * (10_000 / _WHITE))


def _hlg(levels: _Light) -> _Light:
    """Return light of the scene, 0 to 1."""
    return np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - 0.55991073) / 0.17883277) + 0.28466892) / 12)
