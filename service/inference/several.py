"""Several uploads in one request to /quantize: one after the other, and, if it is asked for, with one palette."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.errors import BadOption, ColorCNNError
from models.names import HALFTONE, LEARNED_METHODS, NEAREST, PALETTE_METHODS, PUBLISHED_METHOD
from models.quantizers.classical.catalog import classical_for
from models.quantizers.classical.halftone import stretch, stretched_palette
from models.quantizers.classical.kmeans import random_sample
from models.rgb import Pixels
from service.inference.pipeline import Pipeline
from service.inference.quantization import Quantized
from service.schemas.media_types import FileFormat
from service.schemas.options import QuantizeOptions
from service.schemas.upload import UploadedFile

_DIFFUSING = ("median_cut_dither",)  # methods without the option `palette` whose result is closest to `halftone`


@dataclass(frozen=True)
class Failed:
    """An upload that could not be quantized. name: of the upload."""

    name: str
    error: ColorCNNError


async def quantize_several(
    pipeline: Pipeline, uploads: Sequence[UploadedFile], options: QuantizeOptions, format: FileFormat
) -> list[Quantized | Failed]:
    """Quantize each upload; one that fails does not affect the others.

    Raises:
        BadOption, UnknownMethod, UnknownModel: the options fit no upload.
    """
    options = await options_of_each(pipeline, uploads, options)
    return [await _quantize(pipeline, upload, options, format) for upload in uploads]


async def options_of_each(
    pipeline: Pipeline, uploads: Sequence[UploadedFile], options: QuantizeOptions
) -> QuantizeOptions:
    """Return the options that hold for each upload alone: with the palette that they share, if they shall share one.

    Raises as `quantize_several` does.
    """
    if options.shared_palette:
        options = await _with_shared_palette(pipeline, uploads, options)
    pipeline.check(options)
    return options


async def _quantize(
    pipeline: Pipeline, upload: UploadedFile, options: QuantizeOptions, format: FileFormat
) -> Quantized | Failed:
    try:
        return await pipeline.quantize(upload, options, format)
    except ColorCNNError as error:
        return Failed(upload.name, error)


async def _with_shared_palette(
    pipeline: Pipeline, uploads: Sequence[UploadedFile], options: QuantizeOptions
) -> QuantizeOptions:
    """Return the options with one palette, which the method chooses for a sample of all pictures."""
    if options.method in (*LEARNED_METHODS, PUBLISHED_METHOD):
        raise BadOption(f"The method {options.method!r} does not support `shared_palette`; leave out `method` or it.")
    samples = [
        sample for sample in [await _sample(pipeline, upload, options) for upload in uploads] if sample is not None
    ]
    if not samples:
        return options  # each upload then fails with its own error
    fewest = min(map(len, samples))
    sample = np.concatenate([each[np.linspace(0, len(each) - 1, fewest).astype(int)] for each in samples])
    choose = partial(_choose, sample[np.newaxis], int(options.colors), options.method)
    palette = await pipeline.in_thread(choose)
    colors = tuple((red, green, blue) for red, green, blue in palette.tolist())
    return options.model_copy(update={"palette": colors, "colors": len(colors), "method": _mapping(options.method)})


async def _sample(pipeline: Pipeline, upload: UploadedFile, options: QuantizeOptions) -> NDArray[np.uint8] | None:
    """Return pixels of an upload, (N, 3) uint8; None for an upload that cannot be read."""
    try:
        return await pipeline.inspect(upload, options, lambda pixels: random_sample(pixels.reshape(-1, 3)))
    except ColorCNNError:
        return None


def _mapping(method: str | None) -> str | None:
    """Return the method that maps pictures to the palette of `method`."""
    if method is None or method in PALETTE_METHODS:
        return method
    return HALFTONE if method in _DIFFUSING else NEAREST


def _choose(sample: Pixels, colors: int, method: str | None) -> NDArray[np.uint8]:
    """Return the palette that a method chooses for a sample of (1, N, 3) pixels: K entries or fewer, no two equal."""
    if method is None or method in PALETTE_METHODS:
        palette = stretched_palette(sample, colors, 1 if method == NEAREST else stretch(colors))
    else:
        palette = classical_for(method).quantize(sample, colors).palette
    return np.unique(palette, axis=0)
