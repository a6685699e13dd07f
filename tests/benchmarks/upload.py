"""What /quantize leaves of the uploads that the service could take: requests a second at saturation, as ratios.

    python -m tests.benchmarks.upload --out upload.json

Beside /quantize stands a route that reads the same upload, as a form or as the raw body, behind the same middleware,
checks the same options, and answers one word. Both take turns in one server with the settings it ships with, asked by
as many keep-alive connections as it lets in, all of one other process that costs little (its share of a core is told).
Once the shipped models paint on the CPU; once a simulated device takes 4 ms for a batch and 0.25 ms for each image and
gives the GIL away meanwhile, as a GPU does, so that what is measured is the service around it.
"""

import argparse
import asyncio
import io
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from PIL import Image

from tests.benchmarks.http_load import Client, Outcome, Request, one_after_another
from tests.service.processes import ROOT, Server, serving

PHOTOS = ROOT / "tests" / "photos"
SERVERS = {"simulated": "tests.benchmarks.simulated_server", "cpu": "tests.benchmarks.upload_server"}
ROUTES = ("no-op", "quantize")
JPEG_QUALITY = 71  # the photo of a cat in 20 kB
CLIENTS = 32  # as many as COLORCNN_QUEUE_SIZE lets in
_WARM_UP = 0.5  # seconds
_BOUNDARY = "boundary-of-this-form"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.upload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each turn (%(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="of each route (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    rows = [row for device in SERVERS for row in measure(device, args.seconds, args.turns)]
    command = f"python -m tests.benchmarks.upload --seconds {args.seconds} --turns {args.turns} --out {args.out}"
    report: dict[str, Any] = {"command": command, "hardware": f"{cpu_count()} CPU cores, {platform.machine()}"}
    report |= {"clients": CLIENTS, "rows": rows}
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return report


def measure(device: str, seconds: float, turns: int) -> list[dict[str, Any]]:
    """A row for each image and way to send it, of a server of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(SERVERS[device], Path(folder) / "log", threads="") as server,
    ):
        server.wait_until_ready()
        return [
            {"device": device, "image": name, "sent_as": way} | compare(server, way, image, seconds, turns)
            for name, image in images().items()
            for way in ("form", "raw")
        ]


def images() -> dict[str, bytes]:
    """The uploads: a PNG of the network's own size, and a photo in 20 kB."""
    buffer = io.BytesIO()
    with Image.open(PHOTOS / "cat.jpg") as photo:
        photo.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return {"32x32 PNG": (PHOTOS / "cat-32.png").read_bytes(), "20 kB JPEG": buffer.getvalue()}


@dataclass
class Load:
    """What a route took: milliseconds of each answer, seconds of all turns, and CPU seconds of server and client."""

    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    server_cpu: float = 0.0
    client_cpu: float = 0.0

    def run(self, server: Server, request: Request, seconds: float) -> None:
        """One turn more."""
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


def compare(server: Server, way: str, image: bytes, seconds: float, turns: int) -> dict[str, Any]:
    """Both routes in turns, and the throughput of /quantize over that of the other."""
    requests = {route: request(route, way, image) for route in ROUTES}
    loads = {route: Load() for route in ROUTES}
    for asked in requests.values():
        saturate(server.port, asked, min(_WARM_UP, seconds))
    for _ in range(turns):
        for route, load in loads.items():
            load.run(server, requests[route], seconds)
    found = {route: load.summary() for route, load in loads.items()}
    rates = [found[route]["requests_per_second"] for route in ROUTES]
    return {"bytes": len(image)} | found | {"ratio": round(rates[1] / rates[0], 3)}


def saturate(port: int, request: Request, seconds: float) -> list[Outcome]:
    """All that becomes of one request, sent again and again by each of the clients; see `all_answered`."""
    return all_answered(uvloop.run(_saturate(port, request, seconds)))


def all_answered(outcomes: list[Outcome]) -> list[Outcome]:
    """The same outcomes; RuntimeError where one is no 200: how quick refusals are is not what is measured."""
    if bad := {outcome.status for outcome in outcomes} - {HTTPStatus.OK}:
        raise RuntimeError(f"answered {', '.join(map(str, bad))}")
    return outcomes


async def _saturate(port: int, request: Request, seconds: float) -> list[Outcome]:
    client, end = Client(port), time.monotonic() + seconds
    clients = [one_after_another(client, [request], lambda: time.monotonic() < end) for _ in range(CLIENTS)]
    outcomes = [outcome for found in await asyncio.gather(*clients) for outcome in found]
    client.close()
    return outcomes


def request(route: str, way: str, image: bytes) -> Request:
    """A request for two colors."""
    if way == "raw":
        return Request("POST", f"/{route}?colors=2", image)
    parts = (
        b'Content-Disposition: form-data; name="colors"\r\n\r\n2\r\n',
        b'Content-Disposition: form-data; name="file"; filename="photo"\r\n\r\n' + image + b"\r\n",
    )
    body = b"".join(f"--{_BOUNDARY}\r\n".encode() + part for part in parts) + f"--{_BOUNDARY}--\r\n".encode()
    return Request("POST", f"/{route}", body, f"multipart/form-data; boundary={_BOUNDARY}")


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process (proc(5), stat: utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _own_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
