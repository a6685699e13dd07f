"""Headers of responses, by name, as the OpenAPI document describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def _header(description: str, example: str) -> Json:
    return {"description": description, "schema": {"type": "string"}, "example": example}


REQUEST_ID = {"X-Request-ID": _header("The id of the request, or a new id; also in the log.", "5f2c0d1e")}
MODELS_DIGEST = {
    "X-Models-Digest": _header(
        "Digest of the weights of all models and of the defaults; absent before they are loaded.", "5f2c0d1e9a3b4c6d"
    )
}
OF_ALL: Json = REQUEST_ID | MODELS_DIGEST
"""Headers of every response."""
_RETRY_AFTER = {"Retry-After": _header("Seconds to wait.", "2")}
OF_PROBLEMS: Mapping[int, Json] = {
    401: {"WWW-Authenticate": _header("The authentication scheme.", "Bearer")},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}
"""Headers of error responses, by status, beside the request id."""

SERVER_TIMING: Json = {
    "Server-Timing": _header(
        "Milliseconds in each stage.", "decode;dur=2.1, queue;dur=0.0, model;dur=9.4, encode;dur=1.2"
    )
}
OF_MODEL: Json = {
    "X-Model": _header(
        "The network of the method, or the classifier that a refined image is optimized for first; `none` for a "
        "classical method.",
        "cifar10-resnet9-colorcnn",
    ),
    "X-Model-SHA256": _header(
        "SHA-256 of the checkpoint of X-Model, 64 hexadecimal digits; absent for a classical method.",
        "37cfbb531ba4ebdfb7109a1e0b50d9f137cfbb531ba4ebdfb7109a1e0b50d9f1",
    ),
}
_COMMON: Json = {
    **OF_ALL,
    **SERVER_TIMING,
    **OF_MODEL,
    "X-Image-Notes": _header("Changes that decoding made to the upload, if any.", "EXIF orientation applied"),
}
_IMAGE: Json = {
    **_COMMON,
    "X-Colors": _header("Number of different colors in the image.", "2"),
    "X-Bits-Per-Pixel": _header("Bits of the file per pixel.", "0.4127"),
}
_METHOD: Json = {
    "X-Method": _header("The quantization method, also where the request names none.", "refined_fast"),
    "X-Recognizers": _header(
        "Classifiers that a refined image is optimized for; absent for other methods.",
        "imagenet-efficientnet-lite0, imagenet-efficientnet-lite1",
    ),
}
_LABELS: Json = {
    "X-Label-Before": _header("Label of the upload (percent-encoded outside ASCII).", "frog"),
    "X-Probability-Before": _header("The probability of that label.", "0.9300"),
    "X-Label-After": _header("Label of the quantized image, decoded from its file.", "frog"),
    "X-Probability-After": _header("The probability of that label.", "0.8700"),
}
_MAP: Json = {
    "X-Label": _header("The class of the activation map; PNG only.", "frog"),
    "X-Probability": _header("The probability of that class; PNG only.", "0.9300"),
}

OF_PAGES: Json = {
    **OF_ALL,
    "Content-Security-Policy": _header("Forbids a page to load anything; HTML only.", "default-src 'none'"),
}
OF_QUANTIZE: Json = {
    **_IMAGE,
    **_METHOD,
    **_LABELS,
    "ETag": _header("The strong entity tag of the response.", '"5f2c0d1e5f2c0d1e5f2c0d1e5f2c0d1e"'),
    "Content-Disposition": _header("A name for the file, after that of the upload.", 'inline; filename="photo-k4.png"'),
    "X-Upload-Bytes": _header("Bytes of the upload.", "184320"),
    "X-Goals-Met": _header("`true` or `false`: whether the result reaches `keep` and `max_bytes`.", "true"),
    "X-Larger-Than-Upload": _header("`true` where the file has no fewer bytes than the upload; else absent.", "true"),
    "X-Width": _header("Width in pixels; raw only.", "640"),
    "X-Height": _header("Height in pixels; raw only.", "480"),
    "X-Bit-Depth": _header("Bits of an index, 1, 2, 4 or 8; raw only.", "2"),
    "X-Palette": _header("Colors of the indices, in order; raw only.", "#000000,#ffffff"),
    "X-Images": _header("Number of images; with several files in one response only.", "3"),
    "X-Images-Failed": _header("Number of images that have a problem in place of a file.", "0"),
}
NOT_SMALLER: Json = {name: OF_QUANTIZE[name] for name in ("X-Upload-Bytes", "X-Image-Notes", *OF_ALL)}
NOT_MODIFIED: Json = {name: OF_QUANTIZE[name] for name in ("ETag", *OF_ALL)}
OF_CLASSIFY: Json = {**_IMAGE, **_MAP}
OF_COMPRESS: Json = {
    **_COMMON,
    **_METHOD,
    **_LABELS,
    "X-Colors": _header("Number of colors of the quantized image, before BPG.", "2"),
    "X-Bits-Per-Pixel": _header("Bits of the BPG file of the quantized image per pixel.", "0.3127"),
}
OF_BENCHMARK: Json = {
    **OF_PAGES,
    "X-Model": _COMMON["X-Model"],
    "X-Model-SHA256": _COMMON["X-Model-SHA256"],
    "Server-Timing": _header(
        "Milliseconds in each stage; not with JSON lines.",
        "decode;dur=9.0, queue;dur=0.0, model;dur=180.1, encode;dur=7.2",
    ),
    "X-Colors": _header("Number of different colors in the contact sheet; PNG only.", "5120"),
    "X-Bits-Per-Pixel": _header("Bits of the contact sheet per pixel; PNG only.", "9.8120"),
}
