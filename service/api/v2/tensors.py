"""Tensors of the Open Inference Protocol, and their two codings: JSON, and the binary extension.

Binary data are little-endian and without padding; an element of BYTES follows its length, an unsigned 4-byte integer.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from service.errors import BadInferenceRequest
from service.http.mistakes import advice
from service.schemas.inference_protocol import Datatype, Element

Value = bytes | bool | int | float
Content = Literal["base64", "str"]
"""Meaning of the elements of BYTES in JSON: the base64 of a file, or text."""

_LENGTH = struct.Struct("<I")
_SHOWN = 4096  # characters of a string that is no base64, which show what it is instead
_FORMATS = {"BOOL": "?", "INT32": "i", "FP32": "f"}


@dataclass(frozen=True)
class Tensor:
    """A tensor of an inference response.

    values: elements in row-major order; bytes for BYTES. content: what BYTES hold; None for numbers.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    values: tuple[Value, ...]
    content: Content | None = None


def to_json(tensor: Tensor) -> list[Element]:
    """Return the elements as JSON values: files in base64, text as it is, FP32 with the digits that it has."""
    if tensor.datatype == "BYTES":
        files = cast(tuple[bytes, ...], tensor.values)
        if tensor.content == "base64":
            return [base64.b64encode(file).decode("ascii") for file in files]
        return [file.decode("utf-8") for file in files]
    if tensor.datatype == "FP32":
        return [float(f"{value:.9g}") for value in cast(tuple[float, ...], tensor.values)]
    return list(cast(tuple[int, ...], tensor.values))


def to_binary(tensor: Tensor) -> bytes:
    """Return the elements as binary data."""
    if tensor.datatype == "BYTES":
        files = cast(tuple[bytes, ...], tensor.values)
        return b"".join(part for file in files for part in (_LENGTH.pack(len(file)), file))
    return struct.pack(f"<{len(tensor.values)}{_FORMATS[tensor.datatype]}", *tensor.values)


def files_of_binary(data: bytes, count: int, where: str) -> list[bytes]:
    """Return the `count` elements of BYTES in binary data.

    where: the tensor, as the subject of a sentence. Raises BadInferenceRequest for data that end early or late.
    """
    files: list[bytes] = []
    at = 0
    for number in range(1, count + 1):
        end = at + _LENGTH.size
        length = _LENGTH.unpack_from(data, at)[0] if end <= len(data) else 0
        if end + length > len(data):
            raise BadInferenceRequest(
                f"The binary data of {where} end within element {number} of {count}; send each element as its length, "
                "4 bytes in little-endian order, and its bytes."
            )
        files.append(data[end : end + length])
        at = end + length
    if at < len(data):
        raise BadInferenceRequest(
            f"The binary data of {where} go on for {len(data) - at} bytes after element {count}; let shape and data "
            "agree."
        )
    return files


def files_of_json(data: Sequence[Any], count: int, where: str) -> list[bytes]:
    """Return the `count` elements of BYTES in JSON: each a string in base64, or an object with the member `b64`.

    where: the tensor, as the subject of a sentence. Raises BadInferenceRequest for another number or other values.
    """
    if len(data) != count:
        raise BadInferenceRequest(
            f"The shape of {where} announces {count} elements, but `data` has {len(data)}; let both agree."
        )
    return [_file(value, f"data[{position}] of {where}") for position, value in enumerate(data)]


def _file(value: object, where: str) -> bytes:
    if isinstance(value, dict) and value.keys() == {"b64"}:
        value = value["b64"]
    if not isinstance(value, str):
        raise BadInferenceRequest(
            f'{where} is neither a string in base64 nor an object {{"b64": STRING}}; send the file of an image so.'
        )
    if value.startswith("data:"):
        raise BadInferenceRequest(f"{where} is a data address; send what follows its comma, the base64.")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        told = advice(f"{where} is", value[:_SHOWN].encode("utf-8", "replace"))
        if told and told.startswith(f"{where} is base64"):  # but damaged
            told = None
        raise BadInferenceRequest(
            told
            or f"{where} is not in base64 (RFC 4648, section 4, with padding and without line breaks); send the bytes "
            "of the file in base64, or as binary data."
        ) from None
