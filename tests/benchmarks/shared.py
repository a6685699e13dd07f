"""Start and latency of the service beside a busy process on each CPU, as ratios to the same on an idle machine.

    python -m tests.benchmarks.shared --out docs/results/data/shared.json

The service runs with each way in which OpenMP threads can wait: asleep, as the service sets it; spinning for three
milliseconds, which is the default of GCC's OpenMP library in the CPU builds of torch; and spinning for minutes. The
ways take turns, and in each turn a service starts on the idle machine, answers there, answers beside the busy
processes, and starts again beside them. One client sends each request after the response to the one before.

The busy processes are children of this one, as the service is, and have the same priority. Linux shares the CPUs
between sessions first, then between the processes of a session; busy processes of another session would count as one.
"""

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from PIL import Image

from models.evaluation.report_kinds import Kind
from models.threads import available_cpus
from tests.benchmarks.large_images import PATIENCE, PHOTO, percentiles
from tests.benchmarks.reporting import caveat, write_report
from tests.service.processes import serving
from training.report import markdown

# Variables of GCC's OpenMP library, https://gcc.gnu.org/onlinedocs/libgomp/. The spin count is its own default.
WAITS: Mapping[str, Mapping[str, str]] = {
    "asleep": {},
    "spinning for 3 ms": {"GOMP_SPINCOUNT": "300000"},
    "spinning": {"OMP_WAIT_POLICY": "ACTIVE"},
}
QUANTITIES = {
    "start": "start, until ready",
    "photo p50": "`/quantize` of a photo of 0.4 megapixels, p50",
    "photo p99": "the same, p99",
    "small p50": "`/quantize` of a 32x32 PNG, p50",
    "small p99": "the same, p99",
}
_SECONDS = 20.0  # after which a turn sends no more requests of one kind

Times = dict[str, list[float]]  # milliseconds, by start, photo and small


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure, write the JSON file and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.shared", description=__doc__)
    parser.add_argument("--turns", type=int, default=2, help="turns of each way to wait (%(default)s)")
    parser.add_argument("--photos", type=int, default=25, help="most photos in a turn (%(default)s)")
    parser.add_argument("--other-load", help="what else ran on the machine, for the report; by default nothing")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    measured = measure("service", args.turns, {"photo": args.photos, "small": 6 * args.photos})
    command = f"tests.benchmarks.shared --turns {args.turns} --photos {args.photos} --out {args.out}"
    report = write_report(args.out, Kind.SHARED, command, measured, args.other_load)
    print(table(report))
    return report


def measure(module: str, turns: int, counts: Mapping[str, int]) -> dict[str, Any]:
    """Measure with each way to wait; return a row for each.

    Args:
        module: the server, as in `python -m module`.
        turns: number of turns.
        counts: number of requests in a turn, by the name of the image.
    """
    images = {"photo": photo(), "small": small()}
    alone: dict[str, Times] = {wait: defaultdict(list) for wait in WAITS}
    beside: dict[str, Times] = {wait: defaultdict(list) for wait in WAITS}
    for _ in range(turns):
        for wait, variables in WAITS.items():
            with started(module, variables, alone[wait]) as url:
                for name, count in counts.items():
                    alone[wait][name] += send(url, images[name], count)
                with busy(available_cpus()):
                    for name, count in counts.items():
                        beside[wait][name] += send(url, images[name], count)
            with busy(available_cpus()), started(module, variables, beside[wait], to_the_end=False):
                pass
    return {"busy_processes": available_cpus(), "rows": [row(wait, alone[wait], beside[wait]) for wait in WAITS]}


@contextmanager
def started(module: str, variables: Mapping[str, str], times: Times, *, to_the_end: bool = True) -> Iterator[str]:
    """Start a service, add the time until it is ready to `times`, and yield its address.

    to_the_end: wait for the work that follows readiness, too, so that it does not delay the first requests.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with serving(module, Path(folder) / "log", variables, threads="") as server:
            server.wait_until_ready()
            times["start"].append(1000 * (time.perf_counter() - began))
            if to_the_end:
                server.wait_until_warm()
            yield server.url


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Run processes that never wait, for the length of the block."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def send(url: str, image: bytes, count: int) -> list[float]:
    """Send an image with the default options, after one to warm up; return the milliseconds of each request."""
    times: list[float] = []
    ended = time.perf_counter() + _SECONDS
    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
        while len(times) < 1 + count and time.perf_counter() < ended:
            began = time.perf_counter()
            client.post("/quantize", content=image, params={"colors": "2"}).raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
    return times[1:] or times


def photo() -> bytes:
    """Return the photo of the cat as a JPEG of 0.4 megapixels."""
    image = Image.open(PHOTO)
    scale = (400_000 / (image.width * image.height)) ** 0.5
    buffer = io.BytesIO()
    image.resize((round(scale * image.width), round(scale * image.height))).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def small() -> bytes:
    """Return the photo of the cat as a PNG of 32x32 pixels."""
    buffer = io.BytesIO()
    Image.open(PHOTO).resize((32, 32)).save(buffer, "PNG")
    return buffer.getvalue()


def row(wait: str, alone: Times, beside: Times) -> dict[str, Any]:
    """Return number of requests, milliseconds alone and beside busy processes, and their ratios."""
    requests = {name: [len(times[name]) for times in (alone, beside)] for name in ("photo", "small")}
    milliseconds = {"alone": summary(alone), "beside": summary(beside)}
    ratios = {name: round(milliseconds["beside"][name] / milliseconds["alone"][name], 2) for name in QUANTITIES}
    return {"wait": wait, "requests_alone_and_beside": requests, "milliseconds": milliseconds, "ratio": ratios}


def summary(times: Times) -> dict[str, float]:
    """Return the quantities in milliseconds: the median of the starts, and percentiles of the requests."""
    of_requests = {f"{name} {p}": value for name in ("photo", "small") for p, value in percentiles(times[name]).items()}
    return {"start": round(median(times["start"])), **of_requests}


def table(report: Mapping[str, Any]) -> str:
    """Return a Markdown table with a line for each quantity and two columns for each way to wait."""
    first = report["rows"][0]["milliseconds"]["alone"]
    header = ["", *(f"{row['wait']}: {column}" for row in report["rows"] for column in ("idle", "beside"))]
    lines = [
        [text]
        + [
            cell
            for row in report["rows"]
            for cell in (_alone(row, name, first[name]), f"{row['ratio'][name]:.1f} times idle")
        ]
        for name, text in QUANTITIES.items()
    ]
    return markdown.table(header, lines) + caveat(report)


def _alone(row: Mapping[str, Any], name: str, first: float) -> str:
    """Return the time on the idle machine, of the first row as it is and of others as a ratio to the first."""
    value = row["milliseconds"]["alone"][name]
    if row["wait"] != next(iter(WAITS)):
        return f"{value / first:.2f} times"
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


if __name__ == "__main__":
    main()
