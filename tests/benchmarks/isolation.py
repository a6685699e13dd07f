"""Latency of /quantize beside a running /benchmark and beside large photographs, as a ratio to its latency alone.

    python -m tests.benchmarks.isolation --out docs/results/data/isolation.json

One client sends a photo to a real service again and again, alternately alone and beside benchmarks: first one that
returns a page for an image of several megabytes, then one of eight small images, every method and eight numbers of
colors. The client disconnects from the last benchmark, which ends the worker process, so that every turn includes its
start. Then follows `tests.benchmarks.large_images`.
"""

import argparse
import io
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
from PIL import Image

from models.evaluation.report_kinds import Kind
from models.names import LEARNED_METHOD, NEAREST
from tests.benchmarks import large_images
from tests.benchmarks.large_images import PATIENCE, PHOTO, percentiles, ratios
from tests.benchmarks.reporting import write_report
from tests.service.processes import serving

COLORS = "2,4,8,16,32,64,128,256"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.isolation", description=__doc__)
    parser.add_argument("--requests", type=int, default=100, help="requests in a turn (%(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="turns alone and beside benchmarks (%(default)s)")
    parser.add_argument("--small", type=int, default=40, help="small images of each size in a turn (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, serving("service", Path(folder) / "log", threads="") as server:
        server.wait_until_warm()
        measured = {"load_average": round(os.getloadavg()[0], 1)} | measure(server.url, args.requests, args.turns)
        measured["large_images"] = large_images.measure(server.url, args.small, args.turns)
    options = f"--requests {args.requests} --turns {args.turns} --small {args.small} --out {args.out}"
    command = f"tests.benchmarks.isolation {options}"
    report = write_report(args.out, Kind.ISOLATION, command, measured)
    print(json.dumps(report, indent=1))
    return report


def measure(url: str, requests: int, turns: int) -> dict[str, Any]:
    """Measure milliseconds of /quantize alone and beside benchmarks, and their ratio."""
    alone: list[float] = []
    beside: list[float] = []
    large = noise()
    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
        send_many(client, 10)
        for _ in range(turns):
            alone += send_many(client, requests)
            with Load(url, large) as load:
                beside += send_many(client, requests, load.page_arrived)
    times = {"alone": percentiles(alone), "beside": percentiles(beside)}
    counts = {"requests_alone": len(alone), "requests_beside": len(beside), "large_upload_bytes": len(large)}
    return counts | {"milliseconds": times, "ratio": ratios(times)}


def noise() -> bytes:
    """Return a PNG of noise, which does not compress: 1.6 megapixels, 4.8 megabytes."""
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 1600, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def send_many(client: httpx.Client, count: int, enough: Callable[[], bool] = lambda: True) -> list[float]:
    """Send at least `count` requests one after the other, until `enough`; return the milliseconds of each."""
    photo = PHOTO.read_bytes()
    times: list[float] = []
    while len(times) < count or not enough():
        started = time.perf_counter()
        client.post("/quantize", content=photo, params={"colors": "2", "method": LEARNED_METHOD}).raise_for_status()
        times.append(1000 * (time.perf_counter() - started))
    return times


class Load:
    """Context manager that runs benchmarks: first a page of the `large` image, then JSON lines until the block ends.

    Raises RuntimeError at the end of the block when the benchmarks had ended earlier.
    """

    def __init__(self, url: str, large: bytes) -> None:
        self._client = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False)
        self._large = large
        self._paged, self._leave, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        ended = self._ended.is_set()
        self._leave.set()
        self._thread.join(PATIENCE)
        if ended and kind is None:
            raise RuntimeError("the benchmarks ended before the requests; see the log above, or send fewer requests")

    def page_arrived(self) -> bool:
        """Whether the page has arrived, so that all of its work was part of the load, or the benchmarks have ended."""
        return self._paged.is_set() or self._ended.is_set()

    def _run(self) -> None:
        try:
            with self._client:
                self._get_page()
                self._read_lines()
        finally:
            self._ended.set()

    def _get_page(self) -> None:
        files = [("file", self._large), ("file", PHOTO.read_bytes())]
        options = {"methods": "colorcnn,octree", "colors": "2,4"}
        response = self._client.post("/benchmark", files=files, data=options, headers={"Accept": "text/html"})
        response.raise_for_status()
        self._paged.set()

    def _read_lines(self) -> None:
        files = [("file", PHOTO.read_bytes())] * 8
        methods = [name for name in self._client.get("/models").json()["methods"] if name != NEAREST]  # needs a palette
        options = {"methods": ",".join(methods), "colors": COLORS}
        headers = {"Accept": "application/x-ndjson"}
        with self._client.stream("POST", "/benchmark", files=files, data=options, headers=headers) as response:
            response.raise_for_status()
            for _ in response.iter_lines():
                if self._leave.is_set():
                    return


if __name__ == "__main__":
    main()
