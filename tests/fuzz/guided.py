"""Fuzzing guided by coverage: decoders of uploads and of BPG, readers of forms and of inference requests.

    python -m tests.fuzz.guided decode --minutes 5

libFuzzer, through atheris, changes the seed files and keeps a change that reaches new lines or branches of Python. The
process ends with an error, and leaves the input in the folder, at any exception but the documented ones, at a result of
the wrong shape, and after ten seconds on one input. atheris has wheels for Linux only, and for few versions of Python.
"""

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

MAX_PIXELS = 1 << 16
MAX_BYTES = 1 << 14
INSTRUMENTED = ["models.decoding", "models.codecs", "service.http", "service.api.v2", "python_multipart"]

Target = Callable[[bytes], None]


def decode_target() -> Target:
    """Return a function that decodes an upload; only errors of the project may leave it."""
    decode = import_module("models.decoding.decode").decode
    expected = import_module("models.errors").ColorCNNError

    def target(data: bytes) -> None:
        try:
            pixels = decode(data, max_pixels=MAX_PIXELS).pixels
        except expected:
            return
        assert pixels.dtype == "uint8" and pixels.ndim == 3 and pixels.shape[2] == 3, pixels.shape
        assert pixels.flags.c_contiguous and 0 < pixels.size <= 3 * MAX_PIXELS, pixels.shape

    return target


def bpg_target() -> Target:
    """Return a function that decodes a BPG file; only CodecError may leave it."""
    bpg = import_module("models.codecs.bpg")
    expected = import_module("models.errors").CodecError

    def target(data: bytes) -> None:
        try:
            pixels = bpg.decode(data, max_pixels=MAX_PIXELS)
        except expected:
            return
        assert pixels.dtype == "uint8" and pixels.shape[2] in (3, 4), pixels.shape

    return target


def form_target() -> Target:
    """Return a function that reads a form in two chunks; only errors of the service may leave it."""
    forms = import_module("service.http.forms")
    datastructures = import_module("starlette.datastructures")
    expected = import_module("models.errors").ColorCNNError
    headers = datastructures.Headers({"content-type": "multipart/form-data; boundary=" + BOUNDARY.decode()})

    async def chunks(data: bytes) -> AsyncGenerator[bytes, None]:
        middle = len(data) // 2
        yield data[:middle]
        yield data[middle:]

    def target(data: bytes) -> None:
        reading = forms.read_form(headers, chunks(data), max_bytes=1 << 20, max_parts=64, max_images=4)
        try:
            images, fields = asyncio.run(reading)
        except expected:
            return
        assert 1 <= len(images) <= 4 and len(fields) <= 64, (len(images), len(fields))

    return target


def inference_target() -> Target:
    """Return a function that reads an inference request, whose JSON ends with its first line; see `form_target`."""
    read_call = import_module("service.api.v2.requests").read_call
    model = import_module("service.api.v2.models").ServedModel("quantize", "1", "quantize")
    expected = import_module("models.errors").ColorCNNError

    def target(data: bytes) -> None:
        head, line, _ = data.partition(b"\n")
        try:
            call = read_call(data, [str(len(head) + 1)] if line else [], model)
        except expected:
            return
        assert 1 <= len(call.files) <= 32, len(call.files)

    return target


BOUNDARY = b"X"
TARGETS: Mapping[str, Callable[[], Target]] = {
    "decode": decode_target,
    "bpg": bpg_target,
    "form": form_target,
    "inference": inference_target,
}


def corpus(name: str) -> Mapping[str, bytes]:
    """Return the seed files of a target by name."""
    if name == "form":
        head = b'--X\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        image = head % (b"file", b'; filename="a.png"\r\nContent-Type: image/png', b"\x89PNG" + bytes(30))
        extended = head % (b"file", b"; filename*=UTF-8''a%20b", b"image" * 9)
        option, end = head % (b"colors", b"", b"4"), b"--X--\r\n"
        return {"plain": option + image + end, "extended": b"preamble\r\n" + extended + end, "cut": image[:-9]}
    if name == "inference":
        tensor = b'{"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", %s}], "parameters": {"colors": 2}}'
        binary = tensor % b'"parameters": {"binary_data_size": 8}' + b"\n\4\0\0\0file"
        return {
            "json": tensor % b'"data": ["iVBORw=="]',
            "object": tensor % b'"data": [{"b64": "AA=="}]',
            "binary": binary,
        }
    seeds = import_module("tests.fuzz.seeds").seeds()
    chosen = {key: data for key, data in seeds.items() if name == "decode" or key.startswith("BPG")}
    return {key: data for key, data in chosen.items() if len(data) <= MAX_BYTES}


def main(argv: Sequence[str] | None = None) -> None:
    """Parse flags and fuzz; atheris ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=5.0, help="(%(default)s)")
    parser.add_argument("--runs", type=int, default=-1, help="end after so many inputs; -1 for no limit (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the changes (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where inputs are kept; a temporary folder by default")
    args = parser.parse_args(argv)
    try:
        atheris = import_module("atheris")
    except ImportError:
        raise SystemExit("atheris is not installed. Install it with: pip install '.[guided]'") from None
    folder = args.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = TARGETS[args.target]()
    for key, data in corpus(args.target).items():  # imports what is instrumented, so it comes second
        (folder / re.sub(r"\W+", "_", key)).write_bytes(data)
    flags = [f"-max_total_time={60 * args.minutes:.0f}", f"-runs={args.runs}", f"-seed={args.seed}", "-timeout=10"]
    flags += [f"-max_len={MAX_BYTES}", f"-artifact_prefix={folder}/", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *flags, str(folder)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
