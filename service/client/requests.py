"""Construction of calls from the arguments of a caller, for both clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import httpx

from service.client import calls
from service.client.calls import Call, Many
from service.client.images import AnyImage, upload_of, uploads_of
from service.client.keywords import pairs_of
from service.client.results import Classified, Compressed, ImageFile, Quantized, Skipped
from service.schemas.benchmark_options import BenchmarkOptions
from service.schemas.media_types import HTML, JSON, MEDIA_TYPES, NDJSON, PNG
from service.schemas.options import ClassifyOptions, CompressOptions, QuantizeOptions

QuantizeFormat = Literal["png", "webp", "raw", "packed"]
CompressFormat = Literal["bpg", "png"]


def quantize(
    image: AnyImage, format: QuantizeFormat, skip_if_larger: bool, options: Mapping[str, Any]
) -> Call[Quantized | ImageFile | Skipped]:
    """Return the call of /quantize for one image: the JSON report with the PNG, or a file of another format."""
    wanted = dict(options) | ({"skip_if_larger": True} if skip_if_larger else {})
    upload = (upload_of(image),)
    if format == "png":
        return Call("/quantize", JSON, calls.quantized, upload, pairs_of(wanted, QuantizeOptions))
    pairs = pairs_of(wanted | {"format": format}, QuantizeOptions)
    return Call("/quantize", MEDIA_TYPES[format], calls.image_file, upload, pairs)


def quantize_many(images: Sequence[AnyImage], shared_palette: bool, options: Mapping[str, Any]) -> Call[Many]:
    """Return the call of /quantize for several images."""
    wanted = dict(options) | ({"shared_palette": True} if shared_palette else {})
    pairs = pairs_of(wanted, QuantizeOptions)
    return Call("/quantize", JSON, calls.quantized_many, uploads_of(list(images)), pairs)


def compress(image: AnyImage, options: Mapping[str, Any]) -> Call[Compressed]:
    """Return the call of /compress for the whole report."""
    return Call("/compress", JSON, calls.compressed, (upload_of(image),), pairs_of(options, CompressOptions))


def compress_file(image: AnyImage, format: CompressFormat, options: Mapping[str, Any]) -> Call[ImageFile]:
    """Return the call of /compress for one file, which takes less time than the report."""
    pairs = pairs_of(options, CompressOptions)
    return Call("/compress", MEDIA_TYPES[format], calls.only_file, (upload_of(image),), pairs)


def classify(image: AnyImage, options: Mapping[str, Any]) -> Call[Classified]:
    """Return the call of /classify."""
    return Call("/classify", JSON, calls.classified, (upload_of(image),), pairs_of(options, ClassifyOptions))


def benchmark(images: AnyImage | Sequence[AnyImage], options: Mapping[str, Any]) -> Call[httpx.Response]:
    """Return the call of /benchmark for the lines."""
    return _benchmark(images, options, NDJSON, _itself)


def contact_sheet(images: AnyImage | Sequence[AnyImage], options: Mapping[str, Any]) -> Call[ImageFile]:
    """Return the call of /benchmark for the contact sheet."""
    return _benchmark(images, options, PNG, calls.only_file)


def page(images: AnyImage | Sequence[AnyImage], options: Mapping[str, Any]) -> Call[str]:
    """Return the call of /benchmark for the page."""
    return _benchmark(images, options, HTML, calls.text)


def _benchmark(images: AnyImage | Sequence[AnyImage], options: Mapping[str, Any], accept: str, read: Any) -> Call[Any]:
    return Call("/benchmark", accept, read, uploads_of(images), pairs_of(options, BenchmarkOptions))


def _itself(response: httpx.Response) -> httpx.Response:
    return response
