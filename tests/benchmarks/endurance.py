"""Half an hour at capacity with images of mixed sizes: does every request get its image, and does the memory stay flat?

    python -m tests.benchmarks.endurance --minutes 30 --out docs/results/data/endurance.json

The benchmark runs a real service with the shipped models on loopback. Clients send thumbnails and photographs of up to
12 megapixels to all endpoints for one image, and wait for each response. The memory is that of the service and its
worker processes. The exit status is 1 when a check fails.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from models.evaluation.report_kinds import Kind
from tests.benchmarks.http_load import Client, Request, one_after_another
from tests.benchmarks.reporting import write_report
from tests.benchmarks.soak import resident_mib
from tests.service.processes import ROOT, family, serving
from training.loop.provenance import commit

CLIENTS = 4
SETTLED = 1 / 3  # of the time, before memory is compared: each shape of image takes some at first
MOST_GROWTH = 0.02
_SIDES = ((900, 600), (4243, 2828))  # 0.5 and 12 megapixels
_PAUSE = 1.0  # seconds between readings of the memory


def main(argv: Sequence[str] | None = None) -> int:
    """Parse flags, measure and write the JSON file; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.endurance", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the load in minutes (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, serving("service", Path(folder) / "log", threads="") as server:
        server.wait_until_warm()
        measured = asyncio.run(measure(server.port, server.process.pid, mixed(), 60 * args.minutes))
    command = f"tests.benchmarks.endurance --minutes {args.minutes:g} --out {args.out}"
    report = write_report(args.out, Kind.ENDURANCE, command, {"commit": commit()} | measured)
    print(json.dumps(report, indent=1))
    return 0 if all(report["checks"].values()) else 1


def mixed() -> list[Request]:
    """Return requests of every size and endpoint for one image; small images are the most frequent."""
    thumbnail = (ROOT / "tests" / "photos" / "cat-32.png").read_bytes()
    with Image.open(ROOT / "tests" / "photos" / "cat.jpg") as cat:
        photo, large = (_jpeg(cat.resize(size, Image.Resampling.BICUBIC)) for size in _SIDES)
    small = [Request("POST", f"/quantize?colors={colors}", thumbnail) for colors in (2, 4, 16, 256)]
    some = [
        Request("POST", "/classify", photo),
        Request("POST", "/quantize?colors=4", photo),
        Request("POST", "/quantize?colors=2&dither=false", photo),
        Request("POST", "/quantize?colors=16&method=kmeans", photo),
        Request("POST", "/compress?colors=4", thumbnail),
        Request("POST", "/quantize?colors=4", large),
    ]
    return list(chain.from_iterable([*small, one] for one in some))


def _jpeg(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "jpeg", quality=90)
    return file.getvalue()


async def measure(port: int, pid: int, kinds: list[Request], seconds: float) -> dict[str, Any]:
    """Send the kinds of requests for so many seconds, and read the memory of the process and of its children."""
    client = Client(port)
    end = time.monotonic() + seconds
    memory: list[int] = []

    def goes_on() -> bool:
        return time.monotonic() < end

    # Each client begins with another kind, so that all sizes are in flight at once.
    shifts = [number * len(kinds) // CLIENTS for number in range(CLIENTS)]
    asked = [one_after_another(client, kinds[shift:] + kinds[:shift], goes_on) for shift in shifts]
    of_each, _ = await asyncio.gather(asyncio.gather(*asked), _watch(pid, memory, goes_on))
    client.close()
    outcomes = list(chain.from_iterable(of_each))
    statuses = Counter(str(outcome.status or "none") for outcome in outcomes)
    growth = relative_growth(memory)
    return {
        "seconds": seconds,
        "clients": CLIENTS,
        "requests": len(outcomes),
        "statuses": dict(statuses),
        "memory_mib": {"least": min(_settled(memory)), "most": max(memory), "end": memory[-1]},
        "growth": round(growth, 4),
        "checks": {"every request was answered with 200": set(statuses) == {"200"}, "flat": growth <= MOST_GROWTH},
    }


async def _watch(pid: int, memory: list[int], goes_on: Callable[[], bool]) -> None:
    while goes_on() or not memory:
        with suppress(OSError):  # a worker process may end meanwhile
            memory.append(sum(map(resident_mib, family(pid))))
        await asyncio.sleep(_PAUSE)


def relative_growth(memory: Sequence[int]) -> float:
    """Return how much larger the memory is at the end than once it has settled, as a fraction.

    Compared are the medians of the two halves of the settled readings, since each large image takes memory for its
    time.
    """
    settled = _settled(memory)
    half = max(1, len(settled) // 2)
    before, after = median(settled[:half]), median(settled[-half:])
    return after / before - 1


def _settled(memory: Sequence[int]) -> Sequence[int]:
    return memory[min(round(SETTLED * len(memory)), len(memory) - 1) :]


if __name__ == "__main__":
    sys.exit(main())
