"""Requests per second of /quantize at saturation, beside a route that only reads the upload, as ratios.

    python -m tests.benchmarks.upload --out upload.json

The other route sits behind the same middleware, reads the same upload as a form or as the raw body, checks the same
options, and returns one word. Both routes alternate in one server with default settings. The clients are as many
keep-alive connections as the server admits, all in one other process whose CPU share the report records. One run uses
the shipped models on the CPU. The other uses a simulated device, which takes 4 ms for a batch plus 0.25 ms for each
image and releases the GIL as a GPU does, so that it measures the service around the device. Each row has the CPU time
of decoding the upload and of writing its PNG alone, which no service can do without.
"""

import argparse
import asyncio
import io
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import PIL.Image
import uvloop

from models.codecs import png
from models.decoding.decode import decode
from models.evaluation.report_kinds import Kind
from models.names import LEARNED_METHOD
from models.palette_image import PaletteImage
from tests.benchmarks.http_load import Client, Outcome, Request, one_after_another
from tests.benchmarks.reporting import write_report
from tests.service.processes import ROOT, Server, serving

PHOTOS = ROOT / "tests" / "photos"
SERVERS = {"simulated": "tests.benchmarks.simulated_server", "cpu": "tests.benchmarks.upload_server"}
ROUTES = ("no-op", "quantize")
JPEG_QUALITY = 71  # the photo of a cat in 20 kB
CLIENTS = 32  # the default of COLORCNN_QUEUE_SIZE
_WARM_UP = 0.5  # seconds
_REPEATS = 50
_LARGEST = 1 << 20  # pixels
_BOUNDARY = "boundary-of-this-form"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.upload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a turn in seconds (%(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="turns of each route (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    rows = [row for device in SERVERS for row in measure(device, args.seconds, args.turns)]
    command = f"tests.benchmarks.upload --seconds {args.seconds} --turns {args.turns} --out {args.out}"
    report = write_report(args.out, Kind.UPLOAD, command, {"clients": CLIENTS, "rows": rows})
    print(json.dumps(report, indent=1))
    return report


def measure(device: str, seconds: float, turns: int) -> list[dict[str, Any]]:
    """Start a server and measure each image and encoding of the request."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(SERVERS[device], Path(folder) / "log", threads="") as server,
    ):
        server.wait_until_warm()
        return [
            {"device": device, "image": name, "sent_as": way}
            | compare(server, way, image, seconds, turns)
            | codec_milliseconds(image.file)
            for name, image in images().items()
            for way in ("form", "raw")
        ]


@dataclass(frozen=True)
class Image:
    """An upload, and the method to ask for; None for the method that the service chooses."""

    file: bytes
    method: str | None = None


def images() -> dict[str, Image]:
    """Return the uploads: a PNG of the network's native size, and a photo of 20 kB.

    The service refines a photo for several classifiers, one photo at a time. With the network's own method, photos of
    any size share its batches.
    """
    buffer = io.BytesIO()
    with PIL.Image.open(PHOTOS / "cat.jpg") as photo:
        photo.save(buffer, "JPEG", quality=JPEG_QUALITY)
    jpeg = buffer.getvalue()
    return {
        "32x32 PNG": Image((PHOTOS / "cat-32.png").read_bytes()),
        "20 kB JPEG": Image(jpeg),
        f"20 kB JPEG by `{LEARNED_METHOD}`": Image(jpeg, LEARNED_METHOD),
    }


@dataclass
class Load:
    """Load of one route: milliseconds of each response, seconds of all turns, CPU seconds of server and client."""

    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    server_cpu: float = 0.0
    client_cpu: float = 0.0

    def run(self, server: Server, request: Request, seconds: float) -> None:
        """Run one more turn."""
        server_cpu, client_cpu = cpu_seconds(server.process.pid), _own_cpu_seconds()
        started = time.perf_counter()
        self.milliseconds += [1000 * outcome.seconds for outcome in saturate(server.port, request, seconds)]
        self.seconds += time.perf_counter() - started
        self.server_cpu += cpu_seconds(server.process.pid) - server_cpu
        self.client_cpu += _own_cpu_seconds() - client_cpu

    def summary(self) -> dict[str, float]:
        p50, p99 = np.percentile(self.milliseconds, (50, 99))
        return {
            "requests_per_second": round(len(self.milliseconds) / self.seconds, 1),
            "p50_ms": round(float(p50), 1),
            "p99_ms": round(float(p99), 1),
            "server_cpu_ms": round(1000 * self.server_cpu / len(self.milliseconds), 3),
            "client_cores": round(self.client_cpu / self.seconds, 3),
        }


def compare(server: Server, way: str, image: Image, seconds: float, turns: int) -> dict[str, Any]:
    """Run both routes alternately; `ratio` is the throughput of /quantize over the other route's."""
    requests = {route: request(route, way, image) for route in ROUTES}
    loads = {route: Load() for route in ROUTES}
    for asked in requests.values():
        saturate(server.port, asked, min(_WARM_UP, seconds))
    for _ in range(turns):
        for route, load in loads.items():
            load.run(server, requests[route], seconds)
    found = {route: load.summary() for route, load in loads.items()}
    rates = [found[route]["requests_per_second"] for route in ROUTES]
    return {"bytes": len(image.file)} | found | {"ratio": round(rates[1] / rates[0], 3)}


def codec_milliseconds(file: bytes) -> dict[str, float]:
    """Return milliseconds of CPU of decoding an upload and of writing it as a PNG of two gray levels, one thread."""
    pixels = decode(file, max_pixels=_LARGEST).pixels
    image = PaletteImage(pixels[..., 1] // 128, np.array([[0] * 3, [255] * 3], np.uint8))
    return {
        "decode_ms": _cpu_milliseconds(lambda: decode(file, max_pixels=_LARGEST)),
        "encode_ms": _cpu_milliseconds(lambda: png.encode(image)),
    }


def _cpu_milliseconds(work: Callable[[], object]) -> float:
    started = time.thread_time()
    for _ in range(_REPEATS):
        work()
    return round(1000 * (time.thread_time() - started) / _REPEATS, 3)


def saturate(port: int, request: Request, seconds: float) -> list[Outcome]:
    """Send one request again and again from each client for `seconds`; see `all_ok`."""
    return all_ok(uvloop.run(_saturate(port, request, seconds)))


def all_ok(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes; raises RuntimeError when a status is not 200, because fast rejections would count."""
    if bad := {outcome.status for outcome in outcomes} - {HTTPStatus.OK}:
        raise RuntimeError(f"the service responded with status {', '.join(map(str, bad))}")
    return outcomes


async def _saturate(port: int, request: Request, seconds: float) -> list[Outcome]:
    client, end = Client(port), time.monotonic() + seconds
    clients = [one_after_another(client, [request], lambda: time.monotonic() < end) for _ in range(CLIENTS)]
    outcomes = [outcome for found in await asyncio.gather(*clients) for outcome in found]
    client.close()
    return outcomes


def request(route: str, way: str, image: Image) -> Request:
    """Return a request for two colors, as a form or with the raw body."""
    options = {"colors": "2"} | ({"method": image.method} if image.method else {})
    if way == "raw":
        return Request("POST", f"/{route}?{urlencode(options)}", image.file)
    parts = [
        f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in options.items()
    ]
    parts.append(b'Content-Disposition: form-data; name="file"; filename="photo"\r\n\r\n' + image.file + b"\r\n")
    body = b"".join(f"--{_BOUNDARY}\r\n".encode() + part for part in parts) + f"--{_BOUNDARY}--\r\n".encode()
    return Request("POST", f"/{route}", body, f"multipart/form-data; boundary={_BOUNDARY}")


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of all threads of a process (proc(5), stat: utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _own_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
