"""Print what tritonclient receives from the service at an address, as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

PHOTO = Path("tests/photos/cat.jpg").read_bytes()


def tensor(name: str = "image", shape: tuple[int, ...] = (1,), datatype: str = "BYTES") -> Any:
    found = InferInput(name, list(shape), datatype)
    values = np.array([PHOTO], object) if datatype == "BYTES" else np.array([7], np.int32)
    return found.set_data_from_numpy(values.reshape(shape))


def main(url: str) -> None:
    client = InferenceServerClient(url.removeprefix("http://"))

    def failure(model: str, image: Any, **parameters: int) -> list[Any]:
        try:
            client.infer(model, [image], parameters=parameters)
        except InferenceServerException as error:
            return [int(error.status()), error.message()]
        raise RuntimeError("no error")

    def quantized(outputs: list[Any] | None = None, **compression: str) -> Any:
        result = client.infer(
            "quantize", [tensor()], parameters={"colors": 2}, outputs=outputs, request_id="7", **compression
        )
        if result.get_response()["id"] != "7":
            raise RuntimeError("the id is not that of the request")
        return result

    version = client.get_model_metadata("classify")["versions"][0]
    classified = client.infer("classify", [tensor()], model_version=version)
    binary = quantized()
    file = binary.as_numpy("image")[0]
    selected = [InferRequestedOutput("image"), InferRequestedOutput("palette", binary_data=False)]
    for coding in ("gzip", "deflate"):
        coded = {"request_compression_algorithm": coding, "response_compression_algorithm": coding}
        again = quantized(selected, **coded)
        if again.as_numpy("image")[0] != file or again.as_numpy("palette")[0] != binary.as_numpy("palette")[0].decode():
            raise RuntimeError(f"another result with {coding}")
    found = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "models": {name: client.is_model_ready(name) for name in ("quantize", "nobody")},
        "metadata": client.get_model_metadata("quantize"),
        "image": file.hex(),
        "label": binary.as_numpy("label_after")[0].decode(),
        "top": classified.as_numpy("label")[0, 0].decode(),
        "errors": {
            "model": failure("nobody", tensor()),
            "datatype": failure("quantize", tensor(datatype="INT32")),
            "shape": failure("quantize", tensor(shape=(1, 1))),
            "name": failure("quantize", tensor("pixels")),
            "option": failure("quantize", tensor(), colors=257),
        },
    }
    if client.get_server_metadata()["extensions"] != ["binary_tensor_data", "parameters"]:
        raise RuntimeError("other extensions")
    print(json.dumps(found))


main(sys.argv[1])
