"""Inference requests as bytes, and inference responses as values."""

import base64
import json
import struct
from collections.abc import Sequence
from typing import Any

from httpx import AsyncClient, Response

from tests.service.images import DRAWING

LENGTH = "Inference-Header-Content-Length"


def tensor(*files: bytes, **changes: Any) -> dict[str, Any]:
    """Return the input tensor of files in base64. changes: members that differ; None leaves one out."""
    data = [base64.b64encode(file).decode() for file in files]
    members = {"name": "image", "shape": [len(files)], "datatype": "BYTES", "data": data} | changes
    return {name: value for name, value in members.items() if value is not None}


def in_json(*inputs: dict[str, Any], **members: Any) -> bytes:
    """Return a request in JSON; without inputs, for one drawing."""
    return json.dumps({"inputs": list(inputs) or [tensor(DRAWING)], **members}).encode()


def packed(*files: bytes) -> bytes:
    """Return files as the binary data of BYTES."""
    return b"".join(struct.pack("<I", len(file)) + file for file in files)


def in_binary(*files: bytes, **members: Any) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a request with files as binary data."""
    data = packed(*files)
    head = in_json(tensor(*files, data=None, parameters={"binary_data_size": len(data)}), **members)
    return head + data, {LENGTH: str(len(head))}


async def infer(client: AsyncClient, model: str, content: bytes, headers: dict[str, str] | None = None) -> Response:
    """Send an inference request."""
    return await client.post(f"/v2/models/{model}/infer", content=content, headers=headers)


def outputs(response: Response) -> dict[str, Any]:
    """Return the elements of each output in JSON, by name; files as bytes."""
    assert response.status_code == 200, response.text
    found: dict[str, Any] = {}
    for each in response.json()["outputs"]:
        is_file = each["parameters"].get("content_type") == "base64"
        found[each["name"]] = [base64.b64decode(text) for text in each["data"]] if is_file else each["data"]
    return found


def binary_outputs(response: Response) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the JSON object of a response with binary data, and these data by the name of the output."""
    assert response.status_code == 200, response.text
    length = int(response.headers[LENGTH])
    head = json.loads(response.content[:length])
    at, found = length, {}
    for each in head["outputs"]:
        size = each["parameters"].get("binary_data_size")
        if size is not None:
            found[each["name"]] = response.content[at : at + size]
            at += size
    assert at == len(response.content)
    return head, found


def error(response: Response, status: int) -> str:
    """Return the sentence of an error, after a check that it has the form of the protocol."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body.keys() == {"error"} and body["error"] and "\n" not in body["error"]
    return str(body["error"])


def names(response: Response) -> Sequence[str]:
    """Return the names of the outputs in JSON, in order."""
    return [each["name"] for each in response.json()["outputs"]]
