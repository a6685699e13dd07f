"""Bodies and headers of inference requests (Open Inference Protocol), each part of which may be mutated."""

import base64
import json
import random
import struct
from collections.abc import Sequence
from typing import Any

from tests.fuzz.mutations import mutate

LENGTH = b"Inference-Header-Content-Length"
MODELS = (b"nobody", b"", b"%00", b"..", b"quantize/versions/1", b"x" * 3000, b"%ff", b"a%2fb", b"second")
_HOSTILE: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, "", "image", "BYTES", "FP32", "\0", "x" * 9999),
    *([], {}, [[]], [None], {"b64": 7}, {"b64": ""}, {"a": {"b": []}}, ["A"], [1, 2], [-1], [2**70], [1.0], "data:,x"),
)
_TEXTS = (
    *(b"NaN", b"Infinity", b"-Infinity", b'"\\ud800"', b"1e999", b"[" * 5000, b"01", b"'a'", b"9" * 5000),
    b'{"a":1,"a":2}',
)
_MARK = "mark-0f9c"
_OUTPUTS = ("image", "palette", "label_after", "goals_met", "label", "index", "cam", "nothing")
_LENGTHS = (b"0", b"1", b"-1", b"", b"x", b"99999999", b"9" * 40, b"1.0", b"0x10", b" 5", b"5, 5", b"\xff")


def inference(
    images: Sequence[bytes], options: Sequence[tuple[bytes, bytes]], chance: random.Random
) -> tuple[list[bytes], bytes]:
    """Return header lines and the body of a request with these images and options."""
    if len(images) == 1 and chance.random() < 0.05:
        return [LENGTH + b": 0"], images[0]
    binary = b"".join(struct.pack("<I", len(data)) + data for data in images) if chance.random() < 0.5 else None
    request = _request(images, options, binary, chance)
    head = _written(request, chance)
    length = b"%d" % len(head)
    if chance.random() < 0.05:
        head = mutate(head, head, chance)
    if binary is not None and chance.random() < 0.05:
        binary = mutate(binary, binary, chance)
    if chance.random() < 0.03:
        length = chance.choice(_LENGTHS)
    with_length = (binary is not None) != (chance.random() < 0.02)
    return [LENGTH + b": " + length] if with_length else [], head + (binary or b"")


def _request(
    images: Sequence[bytes], options: Sequence[tuple[bytes, bytes]], binary: bytes | None, chance: random.Random
) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": "image", "shape": [len(images)], "datatype": "BYTES"}
    if binary is None:
        texts = [base64.b64encode(data).decode() for data in images]
        tensor["data"] = [{"b64": text} if chance.random() < 0.1 else _damaged(text, chance) for text in texts]
    else:
        tensor["parameters"] = {"binary_data_size": len(binary)}
    request: dict[str, Any] = {"inputs": [tensor]}
    parameters = {name.decode("latin-1"): _value(value, chance) for name, value in options}
    if chance.random() < 0.5:
        parameters["binary_data_output"] = chance.random() < 0.5
    if parameters:
        request["parameters"] = parameters
    if chance.random() < 0.3:
        request["id"] = "42"
    if chance.random() < 0.3:
        names = chance.sample(_OUTPUTS, chance.choice((1, 2)))
        request["outputs"] = [{"name": name, "parameters": {"binary_data": chance.random() < 0.5}} for name in names]
    return request


def _damaged(text: str, chance: random.Random) -> str:
    if chance.random() < 0.95 or not text:
        return text
    at = chance.randrange(len(text))
    return text[:at] + chance.choice(("", "\n", "-", "é", "=", "\0", "A")) + text[at + chance.choice((0, 1)) :]


def _value(value: bytes, chance: random.Random) -> Any:
    """Return the value of an option as a number or a flag, where it is one, or as a text."""
    text = value.decode("latin-1")
    if text.isascii() and text.isdigit() and len(text) < 300 and chance.random() < 0.7:
        return int(text)
    return {"true": True, "false": False}.get(text, text) if chance.random() < 0.7 else text


def _written(request: dict[str, Any], chance: random.Random) -> bytes:
    """Return a request as JSON; in one of six, another value takes the place of one of its values."""
    if chance.random() < 5 / 6:
        return json.dumps(request).encode()
    holder = chance.choice(list(_holders(request)))
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    if not keys or chance.random() < 0.2:
        if isinstance(holder, dict):
            holder[chance.choice(("x", "", "data", "name", "inputs", "b64"))] = chance.choice(_HOSTILE)
        else:
            holder.append(chance.choice(_HOSTILE))
        return json.dumps(request).encode()
    key = chance.choice(keys)
    if chance.random() < 0.2:
        del holder[key]
        return json.dumps(request).encode()
    if chance.random() < 0.2:
        holder[key] = _MARK
        return json.dumps(request).encode().replace(json.dumps(_MARK).encode(), chance.choice(_TEXTS))
    holder[key] = chance.choice(_HOSTILE)
    return json.dumps(request).encode()


def _holders(node: Any) -> Any:
    """Yield every object and list in a JSON value, the outermost first."""
    if isinstance(node, dict | list):
        yield node
        for child in node.values() if isinstance(node, dict) else node:
            yield from _holders(child)
