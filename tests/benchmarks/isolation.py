"""How quick /quantize stays while a /benchmark runs, as a ratio measured in one run.

    python -m tests.benchmarks.isolation --out results/isolation.json

One client sends the photo of a cat to a real service again and again, in turns alone and beside a benchmark of eight
images, every method and eight numbers of colours.
"""

import argparse
import json
import platform
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import cpu_count
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.service.processes import ROOT, serving

PHOTO = ROOT / "tests" / "photos" / "cat.jpg"
COLORS = "2,4,8,16,32,64,128,256"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.isolation", description=__doc__)
    parser.add_argument("--requests", type=int, default=100, help="in each turn (%(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="alone and beside a benchmark (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, serving("service", Path(folder) / "log") as server:
        server.wait_until_ready()
        report = measure(server.url, args.requests, args.turns)
    command = f"python -m tests.benchmarks.isolation --requests {args.requests} --turns {args.turns} --out {args.out}"
    report = {"command": command, "hardware": f"{cpu_count()} CPU cores, {platform.machine()}"} | report
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return report


def measure(url: str, requests: int, turns: int) -> dict[str, Any]:
    """Milliseconds of /quantize alone and beside a benchmark, and the latter over the former."""
    alone: list[float] = []
    beside: list[float] = []
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        send_many(client, 10)
        for _ in range(turns):
            alone += send_many(client, requests)
            with benchmark_running(url):
                beside += send_many(client, requests)
    times = {"alone": percentiles(alone), "beside": percentiles(beside)}
    ratios = {name: round(times["beside"][name] / times["alone"][name], 2) for name in times["alone"]}
    return {"requests": requests * turns, "milliseconds": times, "ratio": ratios}


def send_many(client: httpx.Client, count: int) -> list[float]:
    """Milliseconds of each of `count` requests, one after the other."""
    photo = PHOTO.read_bytes()
    times = []
    for _ in range(count):
        started = time.perf_counter()
        client.post("/quantize", content=photo, params={"colors": "2"}).raise_for_status()
        times.append(1000 * (time.perf_counter() - started))
    return times


@contextmanager
def benchmark_running(url: str) -> Iterator[None]:
    """A benchmark that is at work before the block begins and is left when it ends; RuntimeError if it ended early."""
    at_work, leave, ended = threading.Event(), threading.Event(), threading.Event()

    def read() -> None:
        files = [("file", PHOTO.read_bytes())] * 8
        methods = ",".join(httpx.get(f"{url}/models", trust_env=False).json()["methods"])
        options = {"methods": methods, "colors": COLORS}
        headers = {"Accept": "application/x-ndjson"}
        request = {"files": files, "data": options, "headers": headers, "timeout": 120}
        with httpx.Client(trust_env=False) as client, client.stream("POST", f"{url}/benchmark", **request) as response:
            for line in response.iter_lines():
                if "row" in json.loads(line):
                    at_work.set()
                if leave.is_set():
                    return
        ended.set()

    thread = threading.Thread(target=read)
    thread.start()
    if not at_work.wait(120):
        raise RuntimeError("the benchmark gave no row within two minutes")
    yield
    leave.set()
    thread.join()
    if ended.is_set():
        raise RuntimeError("the benchmark ended before the requests did; ask for fewer requests")


def percentiles(times: Sequence[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    return {f"p{q}": round(float(np.percentile(times, q)), 1) for q in (50, 99)}


if __name__ == "__main__":
    main()
