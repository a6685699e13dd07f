"""Print what KServe's client receives from the service at an address, as JSON."""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

PHOTO = Path("tests/photos/cat.jpg").read_bytes()
BASE64 = base64.b64encode(PHOTO).decode()


def tensor(name: str = "image", shape: tuple[int, ...] = (1,), datatype: str = "BYTES") -> Any:
    return InferInput(name, list(shape), datatype, data=[BASE64 if datatype == "BYTES" else 7])


def binary() -> Any:
    found = InferInput("image", [1], "BYTES")
    found.set_data_from_numpy(np.array([PHOTO], object))
    return found


async def main(url: str) -> None:
    async with InferenceRESTClient(RESTConfig(protocol="v2", timeout=60)) as client:

        async def outputs(model: str, image: Any, **parameters: object) -> dict[str, Any]:
            request = InferRequest(model, [image], request_id="7", parameters=parameters)
            response = await client.infer(url, request, model_name=model)
            if response.id != "7":
                raise RuntimeError("the id is not that of the request")
            return {output.name: output.as_numpy().tolist() for output in response.outputs}

        async def failure(model: str, image: Any, **parameters: int) -> list[Any]:
            try:
                await outputs(model, image, **parameters)
            except httpx.HTTPStatusError as error:
                return [error.response.status_code, str(error)]
            raise RuntimeError("no error")

        quantized = await outputs("quantize", tensor(), colors=2)
        if await outputs("quantize", binary(), colors=2) != quantized:
            raise RuntimeError("another result with binary data")
        classified = await outputs("classify", binary(), binary_data_output=True)
        found = {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "models": {name: await client.is_model_ready(url, name) for name in ("quantize", "nobody")},
            "image": base64.b64decode(quantized["image"][0]).hex(),
            "label": quantized["label_after"][0],
            "top": classified["label"][0][0],
            "errors": {
                "model": await failure("nobody", tensor()),
                "datatype": await failure("quantize", tensor(datatype="INT32")),
                "shape": await failure("quantize", tensor(shape=(1, 1))),
                "name": await failure("quantize", tensor("pixels")),
                "option": await failure("quantize", tensor(), colors=257),
            },
        }
    print(json.dumps(found))


asyncio.run(main(sys.argv[1]))
