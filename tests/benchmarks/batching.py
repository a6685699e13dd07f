"""What batching gains: clients of one simulated device, batched and one at a time, as ratios measured in one run.

    python -m tests.benchmarks.batching --out batching.json

The device takes 4 ms for a batch and 0.25 ms more for each image, and gives the GIL away meanwhile, as a GPU does. The
clients are tasks of this process and each asks again as soon as it is answered, so that nothing but the queue of the
service and the threads it works in is measured. Both ways take turns.
"""

import argparse
import json
import platform
import time
from collections.abc import Sequence
from os import cpu_count
from pathlib import Path
from typing import Any

import anyio
import numpy as np

from service.inference.batching import Batcher, Limits, Ran

BATCH_MS, IMAGE_MS = 4.0, 0.25
CLIENTS = (1, 16, 64)
WAYS = {"one_at_a_time": 1, "batched": 64}
"""How many images go together."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.batching", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each turn (%(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="of each way (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    rows = [measure(clients, args.seconds, args.turns) for clients in CLIENTS]
    options = f"--seconds {args.seconds} --turns {args.turns} --out {args.out}"
    report = {
        "command": f"python -m tests.benchmarks.batching {options}",
        "hardware": f"{cpu_count()} CPU cores, {platform.machine()}",
        "device": {"batch_ms": BATCH_MS, "image_ms": IMAGE_MS},
        "rows": rows,
    }
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return report


def measure(clients: int, seconds: float, turns: int) -> dict[str, Any]:
    """Both ways with so many clients, and the throughput of the one over that of the other."""
    milliseconds: dict[str, list[float]] = {way: [] for way in WAYS}
    sizes: dict[str, list[int]] = {way: [] for way in WAYS}
    for _ in range(turns):
        for way, batch_items in WAYS.items():
            anyio.run(_turn, clients, seconds, batch_items, milliseconds[way], sizes[way])
    row: dict[str, Any] = {way: _summary(milliseconds[way], sizes[way], turns * seconds) for way in WAYS}
    rates = [row[way]["images_per_second"] for way in WAYS]
    return {"clients": clients} | row | {"ratio": round(rates[1] / rates[0], 2)}


async def _turn(clients: int, seconds: float, batch_items: int, milliseconds: list[float], sizes: list[int]) -> None:
    """Add the milliseconds of each request that is answered in time, and the size of each batch."""

    def count(ran: Ran[str]) -> None:
        sizes.append(len(ran.waits))

    async def ask() -> None:
        asked = time.perf_counter()
        while asked < end:
            await batcher.submit("image", asked)
            answered = time.perf_counter()
            if answered < end:
                milliseconds.append(1000 * (answered - asked))
            asked = answered

    limits = Limits(queue_items=clients, queue_size=clients, batch_items=batch_items, batch_size=batch_items)
    batcher: Batcher[str, float, float] = Batcher(_device, limits, observe=count)
    end = time.perf_counter() + seconds
    async with batcher.serving(), anyio.create_task_group() as tasks:
        for _ in range(clients):
            tasks.start_soon(ask)


def _device(_: str, images: Sequence[float]) -> Sequence[float]:
    time.sleep((BATCH_MS + IMAGE_MS * len(images)) / 1000)
    return images


def _summary(milliseconds: Sequence[float], sizes: Sequence[int], seconds: float) -> dict[str, float]:
    """seconds: of all turns together."""
    p50, p99 = np.percentile(milliseconds, (50, 99))
    return {
        "images_per_second": round(len(milliseconds) / seconds, 1),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "images_per_batch": round(float(np.mean(sizes)), 1),
    }


if __name__ == "__main__":
    main()
