"""Ten times the capacity of a service for a minute, then SIGTERM: does every request get a response?

    python -m tests.benchmarks.soak --seconds 60 --out docs/results/data/soak.json

The benchmark runs a real service with the shipped models on loopback. It first measures the capacity, with clients that
wait for each response. Then it sends ten times as many requests per second in an open loop: small images to /quantize
and /classify, a photo now and then, and a steady liveness probe. The exit status is 1 when a check fails.
"""

import argparse
import asyncio
import json
import math
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from models.evaluation.report_kinds import Kind
from service.schemas.problems import MEDIA_TYPE
from tests.benchmarks.http_load import Client, Outcome, Request, at_rate, one_after_another
from tests.benchmarks.reporting import write_report
from tests.service.processes import ROOT, Server, serving
from training.loop.provenance import commit

TIMES = 10
CLIENTS = 16  # half of the queue size
GRACE = 30.0  # seconds, stop_grace_period of docker-compose.yml
SETTLED = 10.0  # seconds of load before the first reading of memory
MOST_GROWTH = 64  # MiB; each new batch size takes some memory, and a leak of 2 KiB per request would take more
SLOWEST_MS = 1000.0  # of a rejection or a probe; Kubernetes waits as long for a probe
PAUSE = 0.05  # seconds between probes


@dataclass(frozen=True)
class Plan:
    """Seconds of the load at `TIMES` the capacity, and length and clients of the capacity measurement."""

    seconds: float
    capacity_seconds: float = 8.0
    clients: int = CLIENTS

    @property
    def shutdown_seconds(self) -> float:
        """Seconds of load before SIGTERM."""
        return min(2.0, self.seconds)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse flags, measure and write the JSON file; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the load in seconds (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, serving("service", Path(folder) / "log", threads="") as server:
        server.wait_until_warm()
        measured = asyncio.run(measure(server, Plan(args.seconds)))
    command = f"tests.benchmarks.soak --seconds {args.seconds:g} --out {args.out}"
    report = write_report(args.out, Kind.SOAK, command, {"commit": commit()} | measured)
    print(json.dumps(report, indent=1))
    return 0 if all(report["checks"].values()) else 1


def mixed() -> list[Request]:
    """Return ten requests: eight small images to /quantize at two numbers of colors, one to /classify, and a photo."""
    photo_path = "/quantize?method=colorcnn"
    small, photo = ((ROOT / "tests" / "photos" / name).read_bytes() for name in ("cat-32.png", "cat.jpg"))
    quantize = [Request("POST", f"/quantize?colors={colors}", small) for colors in (4, 4, 16, 4)]
    return [*quantize, Request("POST", "/classify", small), *quantize, Request("POST", photo_path, photo)]


async def measure(server: Server, plan: Plan) -> dict[str, Any]:
    """Measure capacity, overload and shutdown, and evaluate the checks."""
    client = Client(server.port)
    capacity = await _capacity(client, plan)
    rate = TIMES * capacity["requests_per_second"]
    overload = await _overload(client, server, rate, plan.seconds)
    shutdown = await _shutdown(client, server, rate, plan.shutdown_seconds)
    client.close()
    checks = _checks_of_load(rate, **overload) | _checks_of_shutdown(shutdown)
    return {"capacity": capacity} | overload | {"shutdown": shutdown, "checks": checks}


async def _capacity(client: Client, plan: Plan) -> dict[str, Any]:
    """Measure the requests per second of clients that wait for each response, after a warm-up."""
    for seconds in (plan.capacity_seconds / 4, plan.capacity_seconds):
        started, goes_on = time.monotonic(), _for(seconds)
        asked = [one_after_another(client, mixed(), goes_on) for _ in range(plan.clients)]
        outcomes = [outcome for of_one in await asyncio.gather(*asked) for outcome in of_one]
        rate = len(outcomes) / (time.monotonic() - started)
    if any(outcome.status != 200 for outcome in outcomes):
        raise RuntimeError("the service rejected a request without overload")
    return {"clients": plan.clients, "requests_per_second": round(rate, 1)} | _milliseconds(outcomes)


async def _overload(client: Client, server: Server, rate: float, seconds: float) -> dict[str, Any]:
    """Send `rate` requests per second; meanwhile probe liveness and read the memory many times per second."""
    goes_on = _for(seconds)
    memory: list[int] = []
    load, probes = await asyncio.gather(
        at_rate(client, mixed(), rate, goes_on),
        _probe("/healthz", server, goes_on, lambda: memory.append(resident_mib(server.process.pid))),
    )
    settled = memory[round(min(SETTLED / seconds, 0.5) * len(memory))]
    return {
        "load": {"seconds": seconds, "offered_per_second": round(len(load) / seconds, 1)} | _responses(load),
        "liveness": _responses(probes),
        "memory_mib": {"settled": settled, "end": memory[-1], "most": max(memory)},
    }


async def _shutdown(client: Client, server: Server, rate: float, seconds: float) -> dict[str, Any]:
    """Send SIGTERM after `seconds` of the same load, which continues until the process ends."""
    ended = asyncio.Event()
    load, probes, (signalled, seconds_to_end, status) = await asyncio.gather(
        at_rate(client, mixed(), rate, lambda: not ended.is_set()),
        _probe("/readyz", server, lambda: not ended.is_set()),
        _end(server, seconds, ended),
    )
    before = [outcome for outcome in load if outcome.sent < signalled]
    readiness = [probe.status for probe in probes if probe.sent >= signalled]
    return {
        "exit_status": status,
        "seconds": round(seconds_to_end, 2),
        "in_flight": sum(outcome.ended > signalled for outcome in before),
        "asked_before": _responses(before),
        "asked_after": _responses([outcome for outcome in load if outcome.sent >= signalled]),
        "lost": _lost(load, server),
        "readiness": [status for status, _ in groupby(readiness)],
    }


async def _end(server: Server, seconds: float, ended: asyncio.Event) -> tuple[float, float, int]:
    """Send SIGTERM after `seconds`; return its time, the seconds until the process ended, and the exit status."""
    await asyncio.sleep(seconds)
    signalled = time.monotonic()
    try:
        status = await asyncio.to_thread(server.stop, 2 * GRACE)
    finally:
        ended.set()
    return signalled, time.monotonic() - signalled, status


def _lost(load: Sequence[Outcome], server: Server) -> int:
    """Count requests that appear in the log of the service but got no response."""
    taken = set(re.findall(r"request_id=(\S+)", server.log.read_text()))
    return sum(outcome.request_id in taken for outcome in load if not outcome.status)


async def _probe(
    path: str, server: Server, goes_on: Callable[[], bool], beside: Callable[[], object] = lambda: None
) -> list[Outcome]:
    """Request `path` again and again, each time on a new connection, as probes do."""
    outcomes: list[Outcome] = []
    while goes_on():
        client = Client(server.port)
        outcomes.append(await client.ask(Request("GET", path), time.monotonic()))
        client.close()
        beside()
        await asyncio.sleep(PAUSE)
    return outcomes


def resident_mib(pid: int) -> int:
    """Return the resident memory of a process in MiB; Linux only."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


def _for(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _responses(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Count accepted, rejected and unanswered requests with their latency; `others` fits none of these."""
    accepted = [outcome for outcome in outcomes if outcome.status == HTTPStatus.OK]
    refused = [outcome for outcome in outcomes if _is_refusal(outcome)]
    unanswered = [outcome for outcome in outcomes if not outcome.status]
    return {
        "accepted": {"requests": len(accepted)} | _milliseconds(accepted),
        "refused": {"requests": len(refused)} | _milliseconds(refused),
        "unanswered": len(unanswered),
        "others": len(outcomes) - len(accepted) - len(refused) - len(unanswered),
    }


def _is_refusal(outcome: Outcome) -> bool:
    whole = outcome.headers.get("content-type") == MEDIA_TYPE and outcome.headers.get("retry-after", "").isdigit()
    return outcome.status == HTTPStatus.SERVICE_UNAVAILABLE and whole


def _milliseconds(outcomes: Sequence[Outcome]) -> dict[str, float]:
    if not outcomes:
        return {}
    p50, p99, most = (1000 * np.percentile([outcome.seconds for outcome in outcomes], (50, 99, 100))).round(1).tolist()
    return {"p50_ms": p50, "p99_ms": p99, "max_ms": most}


def _checks_of_load(
    rate: float, load: Mapping[str, Any], liveness: Mapping[str, Any], memory_mib: Mapping[str, int]
) -> dict[str, bool]:
    return {
        "ten times the capacity was offered": load["offered_per_second"] >= 0.95 * rate,
        "every request was answered 200 or 503": not load["unanswered"] + load["others"],
        "work went on": load["accepted"]["requests"] > 0 < load["refused"]["requests"],
        "refusals came at once": load["refused"].get("p99_ms", 0) <= SLOWEST_MS,
        "it was alive": not liveness["refused"]["requests"] + liveness["unanswered"] + liveness["others"],
        "liveness came at once": liveness["accepted"].get("p99_ms", math.inf) <= SLOWEST_MS,
        "memory was flat": memory_mib["end"] <= memory_mib["settled"] + MOST_GROWTH,
    }


def _checks_of_shutdown(shutdown: Mapping[str, Any]) -> dict[str, bool]:
    before, after = shutdown["asked_before"], shutdown["asked_after"]
    return {
        "SIGTERM came in the middle of work": shutdown["in_flight"] > 0,
        "readiness ended before the port was closed": shutdown["readiness"][-2:] == [503, 0],
        "all that was asked before SIGTERM was answered": not before["unanswered"] + before["others"],
        "nothing that was taken was lost": not shutdown["lost"] + after["others"],
        "the exit status was 0": shutdown["exit_status"] == 0,
        "it ended within the grace period": shutdown["seconds"] <= GRACE,
    }


if __name__ == "__main__":
    sys.exit(main())
