"""Throughput gained by batching, measured on one simulated device with different numbers of clients.

    python -m tests.benchmarks.batching --out batching.json

The device takes 4 ms for a batch plus 0.25 ms for each image, and releases the GIL as a GPU does. The clients are tasks
of this process, and each sends its next request when it has a response. So the benchmark measures only the queue of the
service and its threads. Batched and unbatched runs alternate.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import numpy as np

from models.evaluation.report_kinds import Kind
from service.inference.batching import Batcher, Limits, Ran
from tests.benchmarks.reporting import write_report

BATCH_MS, IMAGE_MS = 4.0, 0.25
CLIENTS = (1, 16, 64)
MODES = {"one_at_a_time": 1, "batched": 64}
"""Most images in a batch."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.batching", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a turn in seconds (%(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="turns of each mode (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    rows = [measure(clients, args.seconds, args.turns) for clients in CLIENTS]
    options = f"--seconds {args.seconds} --turns {args.turns} --out {args.out}"
    measured = {"device": {"batch_ms": BATCH_MS, "image_ms": IMAGE_MS}, "rows": rows}
    report = write_report(args.out, Kind.BATCHING, f"tests.benchmarks.batching {options}", measured)
    print(json.dumps(report, indent=1))
    return report


def measure(clients: int, seconds: float, turns: int) -> dict[str, Any]:
    """Measure both modes with `clients` clients; `ratio` is batched over unbatched throughput."""
    milliseconds: dict[str, list[float]] = {mode: [] for mode in MODES}
    sizes: dict[str, list[int]] = {mode: [] for mode in MODES}
    for _ in range(turns):
        for mode, batch_items in MODES.items():
            anyio.run(_turn, clients, seconds, batch_items, milliseconds[mode], sizes[mode])
    row: dict[str, Any] = {mode: _summary(milliseconds[mode], sizes[mode], turns * seconds) for mode in MODES}
    rates = [row[mode]["images_per_second"] for mode in MODES]
    return {"clients": clients} | row | {"ratio": round(rates[1] / rates[0], 2)}


async def _turn(clients: int, seconds: float, batch_items: int, milliseconds: list[float], sizes: list[int]) -> None:
    """Append the milliseconds of each request that completes within `seconds`, and the size of each batch."""

    def count(ran: Ran[str]) -> None:
        sizes.append(len(ran.waits))

    async def ask() -> None:
        asked = time.perf_counter()
        while asked < end:
            await batcher.submit("image", asked)
            responded = time.perf_counter()
            if responded < end:
                milliseconds.append(1000 * (responded - asked))
            asked = responded

    limits = Limits(queue_items=clients, queue_size=clients, batch_items=batch_items, batch_size=batch_items)
    batcher: Batcher[str, float, float] = Batcher(_device, limits, observe=count)
    end = time.perf_counter() + seconds
    async with batcher.serving(), anyio.create_task_group() as tasks:
        for _ in range(clients):
            tasks.start_soon(ask)


def _device(_: str, images: Sequence[float], __: Callable[[], None]) -> Sequence[float]:
    time.sleep((BATCH_MS + IMAGE_MS * len(images)) / 1000)
    return images


def _summary(milliseconds: Sequence[float], sizes: Sequence[int], seconds: float) -> dict[str, float]:
    """Summarize all turns of one mode, which together took `seconds`."""
    p50, p99 = np.percentile(milliseconds, (50, 99))
    return {
        "images_per_second": round(len(milliseconds) / seconds, 1),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "images_per_batch": round(float(np.mean(sizes)), 1),
    }


if __name__ == "__main__":
    main()
