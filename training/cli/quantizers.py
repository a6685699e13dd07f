"""Quantizers that need no trained quantizer, by the names that commands accept: classical ones and refined ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import AfterValidator

from models.names import HALFTONE, NEAREST, PHOTOGRAPH_METHODS, REFINED_IN_ONE_PASS, REFINED_QUICKLY
from models.networks.prefilter import Prefilter
from models.palette_image import PaletteImage
from models.palettes import parse_palette
from models.quantizers.base import Quantizer, checked_exact_in
from models.quantizers.classical.catalog import CLASSICAL, classical_for
from models.quantizers.learned.refined import RefinedQuantizer
from models.recognizer import Recognizer
from models.rgb import Pixels

REFINED_FLAT = "refined_flat"
"""The refined quantizer without error diffusion, at every scale: flat areas, short files."""
FLOYD_STEINBERG = "floyd_steinberg"
"""Error diffusion to a fixed palette as Pillow does it; `halftone` first moves colors into the reach of the palette."""
METHODS = (*CLASSICAL, *PHOTOGRAPH_METHODS, REFINED_FLAT)
"""Every name that `make_quantizer` accepts without a palette."""
METHODS_WITH_PALETTE = (*PHOTOGRAPH_METHODS, REFINED_FLAT, HALFTONE, NEAREST, FLOYD_STEINBERG)
"""Every name that `make_quantizer` accepts with a fixed palette."""

_KNOWN = dict.fromkeys((*METHODS, *METHODS_WITH_PALETTE))


def _check(name: str) -> str:
    if name not in _KNOWN:
        raise ValueError(f"must be one of {', '.join(sorted(_KNOWN))}")
    return name


def _check_palette(text: str) -> str:
    parse_palette(text)
    return text


UntrainedMethod = Annotated[str, AfterValidator(_check)]
"""Name of a quantizer that needs no trained quantizer."""
PaletteText = Annotated[str, AfterValidator(_check_palette)]
"""Fixed palette: its name, or colors such as #000,#fff."""


@dataclass(frozen=True, eq=False)
class FloydSteinberg:
    """Pillow's error diffusion to a fixed palette, (K, 3) uint8, for comparisons."""

    name: ClassVar[str] = FLOYD_STEINBERG

    palette: NDArray[np.uint8]

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`."""
        unchanged = checked_exact_in(pixels, colors, self.palette)
        if unchanged is not None:
            return unchanged
        holder = Image.new("P", (1, 1))
        holder.putpalette(self.palette.tobytes())
        diffused = Image.fromarray(pixels).quantize(palette=holder, dither=Image.Dither.FLOYDSTEINBERG)
        return PaletteImage(np.asarray(diffused), self.palette)


def make_quantizer(
    method: str,
    recognizers: Sequence[Recognizer],
    fidelity: float = 0.0,
    prefilter: Prefilter | None = None,
    palette: NDArray[np.uint8] | None = None,
) -> Quantizer:
    """Return the quantizer of that name, one of METHODS or, with a palette, of METHODS_WITH_PALETTE.

    recognizers: those that a refined quantizer follows; a classical one needs none. fidelity: 0 to 1, of a refined one.
    prefilter: network of the refined quantizer in one pass, which needs one; the others ignore it. palette: (K, 3)
    uint8, a fixed palette.

    Raises ValueError for a method that needs a palette or a prefilter, or supports no palette.
    """
    if method not in (METHODS if palette is None else METHODS_WITH_PALETTE):
        raise ValueError(f"{method} needs a palette" if palette is None else f"{method} supports no palette")
    if method == FLOYD_STEINBERG and palette is not None:
        return FloydSteinberg(palette)
    if method in CLASSICAL or method == NEAREST:
        return classical_for(method, palette)
    if method == REFINED_IN_ONE_PASS:
        if prefilter is None:
            raise ValueError(f"{method} needs a prefilter")
        return RefinedQuantizer(tuple(recognizers), fidelity, prefilter=prefilter, palette=palette)
    dither = False if method == REFINED_FLAT else None
    return RefinedQuantizer(tuple(recognizers), fidelity, dither, quick=method == REFINED_QUICKLY, palette=palette)
