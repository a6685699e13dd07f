"""Replicas on Ray Serve on one machine: throughput, a killed replica, and an update under load.

    python -m tests.benchmarks.cluster --out docs/results/data/cluster.json

Each replica has a simulated device of 40 ms for a batch plus 10 ms for each image, so that the devices are the limit
and not the CPUs of the machine. Clients send small images and uploads that exceed the buffers of the proxy, and wait
for each response; after a 503 they pause. The exit status is 1 when a check fails.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.evaluation.report_kinds import Kind
from tests.benchmarks.cluster_replica import BATCH_MS, IMAGE_MS
from tests.benchmarks.http_load import Client, Outcome, Request
from tests.benchmarks.reporting import write_report
from tests.service.processes import ROOT, family, free_port, outside, proportional_kib
from training.loop.provenance import commit

CLIENTS = 28  # for each replica, whose queue holds 32
LEAST_GAIN = 1.7  # of two replicas over one
_PAUSE = 0.1  # seconds of a client after a 503
_SETUPS = (("none", 1), ("python", 1), ("python", 2), ("haproxy", 1), ("haproxy", 2))
_STARTED_WITHIN = 300.0


@dataclass
class Cluster:
    """A running server, the process that controls it, and the seconds that its start took."""

    process: subprocess.Popen[str]
    port: int
    start_seconds: float

    def deploy(self) -> None:
        """Deploy the next version, and wait until all its replicas are ready and those of the last one have ended."""
        assert self.process.stdin
        self.process.stdin.write("next\n")
        self.process.stdin.flush()
        self.wait_until_deployed()

    def wait_until_deployed(self) -> None:
        """Read the output up to the line that `cluster_server` prints, since Ray writes to it as well."""
        assert self.process.stdout
        while (line := self.process.stdout.readline()) and line != "deployed\n":
            pass


def main(argv: Sequence[str] | None = None) -> int:
    """Parse flags, measure and write the JSON file; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cluster", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each measurement (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    rows = []
    for proxy, replicas in _SETUPS:
        with running(proxy, replicas) as cluster:
            rows.append({"proxy": proxy, "replicas": replicas} | asyncio.run(measure(cluster, replicas, args.seconds)))
            print(json.dumps(rows[-1]), file=sys.stderr)
    with running("haproxy", 1, 2) as cluster:
        scaled = asyncio.run(scale(cluster))
    measured = {
        "commit": commit(),
        "device": {"batch_ms": BATCH_MS, "image_ms": IMAGE_MS},
        "clients": CLIENTS,
        "seconds": args.seconds,
        "rows": rows,
        "gain": _gains(rows),
        "scaled": scaled,
        "checks": checks(rows, scaled),
    }
    command = f"tests.benchmarks.cluster --seconds {args.seconds:g} --out {args.out}"
    report = write_report(args.out, Kind.CLUSTER, command, measured)
    print(json.dumps(report, indent=1))
    return 0 if all(report["checks"].values()) else 1


@contextmanager
def running(proxy: str, replicas: int, most: int | None = None) -> Iterator[Cluster]:
    """Run `cluster_server`; its processes are gone at the end of the block. most: replicas under load."""
    port, started = free_port(), time.monotonic()
    command = [sys.executable, "-m", "tests.benchmarks.cluster_server", proxy, str(replicas), str(most or replicas)]
    environment = outside() | {"COLORCNN_PORT": str(port), "COLORCNN_LOG_LEVEL": "error", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        _wait_until_ready(process, port)
        cluster = Cluster(process, port, time.monotonic() - started)
        if proxy != "none":
            cluster.wait_until_deployed()
        yield cluster
    finally:
        assert process.stdin
        process.stdin.close()
        if proxy == "none":
            process.terminate()
        process.wait(60)
        assert process.stdout
        process.stdout.close()


async def measure(cluster: Cluster, replicas: int, seconds: float) -> dict[str, Any]:
    """Measure throughput and memory; with two replicas also a kill and an update under load."""
    client = Client(cluster.port)
    small = [Request("POST", "/quantize?colors=4&method=colorcnn", _png(32))]
    await _load(client, small, CLIENTS * replicas, _for(seconds / 5))
    started = time.monotonic()
    outcomes = await _load(client, small, CLIENTS * replicas, _for(seconds))
    row: dict[str, Any] = {
        "requests_per_second": round(len(outcomes) / (time.monotonic() - started), 1),
        "statuses": _statuses(outcomes),
        "p50_ms": _percentile(outcomes, 50),
        "p99_ms": _percentile(outcomes, 99),
        "start_seconds": round(cluster.start_seconds, 1),
        "mib": sum(map(proportional_kib, family(cluster.process.pid))) >> 10,
    }
    if replicas > 1:
        mixed = [*small * 7, Request("POST", "/quantize?colors=4&method=colorcnn", _png(400))]
        row["kill"] = await _kill(cluster, client, mixed, replicas, seconds / 3)
        row["update"] = await _update(cluster, client, mixed, replicas)
    client.close()
    return row


async def scale(cluster: Cluster) -> dict[str, Any]:
    """Send as many requests to one replica as two hold, until Ray has added the second."""
    client, added = Client(cluster.port), asyncio.Event()
    small = [Request("POST", "/quantize?colors=4&method=colorcnn", _png(32))]

    async def wait() -> float:
        started = time.monotonic()
        await asyncio.to_thread(_pids, cluster.port, 2)
        added.set()
        return time.monotonic() - started

    outcomes, seconds = await asyncio.gather(_load(client, small, 2 * CLIENTS, lambda: not added.is_set()), wait())
    client.close()
    return {"statuses": _statuses(outcomes), "seconds_until_second": round(seconds, 1)}


async def _kill(cluster: Cluster, client: Client, kinds: list[Request], replicas: int, pause: float) -> dict[str, Any]:
    """Kill one replica in the middle of the load; the load goes on until there are as many as before."""
    loaded = asyncio.Event()
    pids = _pids(cluster.port, replicas)

    async def kill() -> float:
        await asyncio.sleep(pause)
        os.kill(min(pids), signal.SIGKILL)
        killed = time.monotonic()
        await asyncio.to_thread(_pids, cluster.port, replicas, without=min(pids))
        recovered = time.monotonic() - killed
        await asyncio.sleep(pause)
        loaded.set()
        return recovered

    outcomes, recovered = await asyncio.gather(
        _load(client, kinds, CLIENTS * replicas, lambda: not loaded.is_set()), kill()
    )
    return {"statuses": _statuses(outcomes), "seconds_until_replaced": round(recovered, 1)}


async def _update(cluster: Cluster, client: Client, kinds: list[Request], replicas: int) -> dict[str, Any]:
    """Deploy the next version in the middle of the load."""
    updated = asyncio.Event()

    async def update() -> float:
        await asyncio.sleep(1)
        started = time.monotonic()
        await asyncio.to_thread(cluster.deploy)
        seconds = time.monotonic() - started
        await asyncio.sleep(1)
        updated.set()
        return seconds

    before = _pids(cluster.port, replicas)
    outcomes, seconds = await asyncio.gather(
        _load(client, kinds, CLIENTS * replicas // 2, lambda: not updated.is_set()), update()
    )
    replaced = not before & _pids(cluster.port, replicas)
    return {"statuses": _statuses(outcomes), "seconds": round(seconds, 1), "all_replaced": replaced}


async def _load(client: Client, kinds: list[Request], clients: int, goes_on: Callable[[], bool]) -> list[Outcome]:
    """Send requests from clients that wait for each response, and pause after a 503."""

    async def one(shift: int) -> list[Outcome]:
        outcomes = []
        for request in itertools.cycle(kinds[shift:] + kinds[:shift]):
            if not goes_on():
                break
            outcomes.append(await client.ask(request, time.monotonic()))
            if outcomes[-1].status != 200:
                await asyncio.sleep(_PAUSE)
        return outcomes

    of_each = await asyncio.gather(*(one(number % len(kinds)) for number in range(clients)))
    return list(itertools.chain.from_iterable(of_each))


def _gains(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the throughput of two replicas over that of one, by proxy."""
    rates = {(row["proxy"], row["replicas"]): row["requests_per_second"] for row in rows}
    return {proxy: round(rates[proxy, 2] / rates[proxy, 1], 2) for proxy in ("python", "haproxy")}


def checks(rows: Sequence[dict[str, Any]], scaled: dict[str, Any]) -> dict[str, bool]:
    """Return the goals of the setup that is recommended: two replicas behind HAProxy."""
    row = next(row for row in rows if (row["proxy"], row["replicas"]) == ("haproxy", 2))
    kill, update = row["kill"], row["update"]
    return {
        f"two replicas serve {LEAST_GAIN} times one": _gains(rows)["haproxy"] >= LEAST_GAIN,
        "a killed replica: every request was answered with 200 or 503": set(kill["statuses"]) <= {"200", "503"},
        "an update: every request was answered with 200 or 503": set(update["statuses"]) <= {"200", "503"},
        "the update replaced every replica": update["all_replaced"],
        "a second replica came under load": scaled["seconds_until_second"] < _STARTED_WITHIN,
    }


def _statuses(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Count the statuses; `none` is a request without a response."""
    return dict(Counter(str(outcome.status or "none") for outcome in outcomes))


def _percentile(outcomes: Sequence[Outcome], share: float) -> float:
    return round(1000 * float(np.percentile([outcome.seconds for outcome in outcomes], share)), 1)


def _png(side: int) -> bytes:
    """Return a PNG of noise; of 400x400 pixels it takes more than the buffer of HAProxy."""
    file = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)).save(file, "png")
    return file.getvalue()


def _pids(port: int, replicas: int, without: int = 0) -> set[int]:
    """Wait until so many replicas respond, and return their process ids. without: of a process that has ended."""
    deadline, pids = time.monotonic() + _STARTED_WITHIN, set[int]()
    while len(pids) < replicas and time.monotonic() < deadline:
        body = _get(port, "/pid")
        if body and re.fullmatch(rb"\d+", body) and int(body) != without:
            pids.add(int(body))
    return pids


def _wait_until_ready(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + _STARTED_WITHIN
    while _get(port, "/readyz") is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the server does not start")
        time.sleep(0.1)


def _get(port: int, path: str) -> bytes | None:
    """Return the body of a response with status 200 on a new connection, else None."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read() if response.status == 200 else None
    except OSError:
        time.sleep(0.05)
        return None
    finally:
        connection.close()


def _for(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


if __name__ == "__main__":
    sys.exit(main())
