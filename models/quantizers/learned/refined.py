"""Quantizers for photographs, refined through the scaling that recognizers apply. They need no trained quantizer."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.names import REFINED_FOR_ALL, REFINED_IN_ONE_PASS, REFINED_QUICKLY
from models.networks.prefilter import Prefilter
from models.palette_image import PaletteImage
from models.quantizers.base import MIN_COLORS, Backdrop, checked_exact, checked_exact_in
from models.quantizers.classical.halftone import stretch, stretched_palette
from models.quantizers.learned.descent import Steps, changed, descend
from models.quantizers.learned.mapping import Diffusion, Mapping, NearestEntry
from models.quantizers.learned.prefiltering import predict_change
from models.recognizer import Recognizer
from models.rgb import Pixels, resize_to

_LARGE = 1.5  # least scale of a large picture; a scale is the ratio of what a recognizer sees to its input
_WORKING_SCALE = 2.0  # largest scale of the picture that the descent works on
_WORKING_SIDE = 4096  # its longest side in pixels; a picture that is eight times as long as wide is squeezed

# Selected on photographs that no result was measured on.
_LARGE_CELL = 2  # side of a cell, in pixels of the view
_LARGE_STEPS = Steps(count=20, rate=0.5, momentum=0.9, error_weight=90)
_FEW_COLORS = 4  # number of colors up to which steps are not shorter
_SMALL_STEPS = Steps(count=20, rate=0.3, momentum=0.95, error_weight=1000)
_SMALL_STEPS_OF_TWO_COLORS = Steps(count=40, rate=0.7, momentum=0.95, error_weight=1000)
_QUICK_LARGE_STEPS = Steps(count=6, rate=1.0, momentum=0.5, error_weight=90)
_QUICK_SMALL_STEPS = Steps(count=10, rate=1.0, momentum=0.8, error_weight=1000)
_QUICK_SMALL_STEPS_OF_TWO_COLORS = Steps(count=10, rate=2.0, momentum=0.8, error_weight=1000)


@dataclass(frozen=True, eq=False)
class RefinedQuantizer:
    """Few colors for a photograph that recognizers scale down, chosen so that they keep their answers.

    The palette is that of `halftone`. Where the picture is at least 1.5 times as large as a recognizer's input, the
    picture is mapped with error diffusion, otherwise each pixel gets its nearest entry. Before that, the picture is
    changed by the gradient descent of `descend`, which follows all recognizers. A large picture is scaled down for the
    descent, to twice the recognizers' input, and the change is scaled up again.

    Memory: 8 bytes a pixel beside the result, and what each recognizer keeps for the gradient of one image.

    recognizers: at least one, on one device. A picture refined for one of them alone is a code that others may fail to
    read.
    fidelity: 0 to 1, the part of the change that is left out; 1 gives the mapped picture without a change.
    dither: whether to diffuse errors; None decides by the scale. Without it, areas are flat and files are shorter.
    quick: whether to take a few large steps instead of many small ones.
    prefilter: network in eval mode that predicts the change in one pass instead of the descent; it was trained for the
        first recognizer, whose view it sees.
    palette: (K, 3) uint8, a fixed palette in place of that of `halftone`; no two entries are equal.
    backdrop: what recognizers see of a picture with transparent parts, of the size of the picture; a descent keeps
        their answers for that. None for an opaque picture.
    """

    recognizers: tuple[Recognizer, ...]
    fidelity: float = 0.0
    dither: bool | None = None
    quick: bool = False
    prefilter: Prefilter | None = None
    palette: NDArray[np.uint8] | None = None
    backdrop: Backdrop | None = None

    @property
    def name(self) -> str:
        """See `Quantizer.name`."""
        if self.prefilter is not None:
            return REFINED_IN_ONE_PASS
        return REFINED_QUICKLY if self.quick else REFINED_FOR_ALL

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        if self.palette is not None:
            return checked_exact_in(pixels, colors, self.palette) or self._refine(pixels, colors)
        return checked_exact(pixels, colors) or self._refine(pixels, colors).compact()

    def _refine(self, pixels: Pixels, colors: int) -> PaletteImage:
        scale = min(_scale(recognizer, pixels) for recognizer in self.recognizers)
        dither = scale >= _LARGE if self.dither is None else self.dither
        mapping = photograph_mapping(pixels, colors, dither=dither, palette=self.palette)
        if self.fidelity < 1:
            change = self._change(_scaled_down(pixels, scale), mapping, colors, scale)
            pixels = changed(pixels, (1 - self.fidelity) * change)
        return mapping.map(pixels)

    def _change(self, working: Pixels, mapping: Mapping, colors: int, scale: float) -> NDArray[np.float32]:
        """Return the change of a picture that was scaled down from that scale, (h, w, 3) in levels of 255."""
        if self.prefilter is not None:
            return predict_change(self.prefilter, working, mapping, colors, scale=min(scale, _WORKING_SCALE))
        cell = round(_LARGE_CELL * min(scale, _WORKING_SCALE)) if scale >= _LARGE else 1
        backdrop = self.backdrop and self.backdrop.scaled(*working.shape[:2])
        return descend(working, mapping, self.recognizers, self._steps(scale, colors), cell, backdrop)

    def _steps(self, scale: float, colors: int) -> Steps:
        two = colors == MIN_COLORS
        if scale >= _LARGE:
            return _for_colors(_QUICK_LARGE_STEPS if self.quick else _LARGE_STEPS, colors)
        if self.quick:
            return _for_colors(_QUICK_SMALL_STEPS_OF_TWO_COLORS if two else _QUICK_SMALL_STEPS, colors)
        return _SMALL_STEPS_OF_TWO_COLORS if two else _SMALL_STEPS


def photograph_mapping(
    pixels: Pixels, colors: int, *, dither: bool, palette: NDArray[np.uint8] | None = None
) -> Mapping:
    """Return the mapping of a photograph to K colors, with error diffusion or to the nearest entries.

    pixels: (H, W, 3) uint8 sRGB. palette: (K, 3) uint8; if None, it is fitted to the picture. Only error diffusion can
    use a palette that reaches beyond the colors of the picture.
    """
    if palette is None:
        palette = stretched_palette(pixels, colors, stretch(colors) if dither else 1)
    return Diffusion(palette) if dither else NearestEntry(palette)


def _for_colors(steps: Steps, colors: int) -> Steps:
    """Return shorter steps for more colors, and a higher weight of the error, which they make smaller from the start.

    With the steps of few colors, stains show in the even areas of a picture of many.
    """
    factor = max(1.0, colors / _FEW_COLORS)
    return replace(steps, rate=steps.rate / factor, error_weight=steps.error_weight * factor)


def _scale(recognizer: Recognizer, pixels: Pixels) -> float:
    """Return how many pixels of an image become one of the recognizer's input, along the shorter side."""
    left, top, right, bottom = recognizer.views.box(*pixels.shape[:2])
    return min(right - left, bottom - top) / recognizer.size


def _scaled_down(pixels: Pixels, scale: float) -> Pixels:
    """Scale an image of that scale down to the largest one that the descent works on; a smaller image stays."""
    factor = min(1, _WORKING_SCALE / scale)
    height, width = (min(_WORKING_SIDE, max(1, round(factor * side))) for side in pixels.shape[:2])
    return resize_to(pixels, height, width)
