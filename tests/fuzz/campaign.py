"""Many cases against one server: statuses, latency, and the memory of the server."""

import math
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.fuzz import cases
from tests.fuzz.client import LIMITS, Client, Outcome
from tests.service.processes import Server, workers_of

MOST_GROWTH = 1.15
"""Most memory after all cases over the memory after a tenth of them; new image sizes leave gaps in the heap."""

_TENTHS = 10
_SHOWN = 50
_MEGABYTE = 1024  # of the kilobytes in /proc


@dataclass(frozen=True)
class Plan:
    """What a campaign sends.

    Attributes:
        seed: of the cases.
        count: number of cases.
        connections: at once.
        minutes: after which no further case is sent; None for no limit.
        patience: factor on the seconds until a response.
        only: beginning of the paths that are asked.
    """

    seed: int
    count: int
    connections: int
    minutes: float | None = None
    patience: float = 1.0
    only: str = ""


def run(server: Server, plan: Plan, keep: Path | None) -> dict[str, Any]:
    """Send the cases, and write the failed ones to the folder `keep`.

    Raises RuntimeError when the server ends; the message names the first case without a response.
    """
    outcomes: list[Outcome] = []
    memory = [_memory(server)]
    limits = {path: seconds * plan.patience for path, seconds in LIMITS.items()}
    end = time.monotonic() + 60 * plan.minutes if plan.minutes else math.inf
    with ExitStack() as stack, ThreadPoolExecutor(plan.connections) as pool:
        free: SimpleQueue[Client] = SimpleQueue()
        for _ in range(plan.connections):
            free.put(stack.enter_context(Client(server.port, limits)))

        def send(number: int) -> Outcome | None:
            if time.monotonic() > end:
                return None
            client = free.get()
            try:
                return client.send(cases.make(plan.seed, number, plan.only))
            finally:
                free.put(client)

        for tenth in range(_TENTHS):
            numbers = range(plan.count * tenth // _TENTHS, plan.count * (tenth + 1) // _TENTHS)
            done = [outcome for outcome in pool.map(send, numbers) if outcome]
            _keep(done, plan, keep)
            if server.process.poll() is not None:
                first = next(outcome.number for outcome in done if outcome.complaint)
                raise RuntimeError(f"the server ended with {server.process.returncode} at about case {first}")
            outcomes += done
            memory.append(_memory(server))
    return _report(outcomes) | {"memory_mb": _memory_report(memory), "log": _log(server)}


def passed(report: dict[str, Any]) -> bool:
    """Whether every case got a valid response, the log is clean, and the memory did not grow."""
    clean = not report["failures"]["cases"] and not report["log"]["errors"] and not report["log"]["tracebacks"]
    return clean and bool(report["memory_mb"]["growth"] <= MOST_GROWTH)


def _keep(outcomes: Iterable[Outcome], plan: Plan, folder: Path | None) -> None:
    for outcome in outcomes:
        if outcome.complaint and folder:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{outcome.number}.http").write_bytes(cases.make(plan.seed, outcome.number, plan.only).request)


def _report(outcomes: list[Outcome]) -> dict[str, Any]:
    failed = [outcome for outcome in outcomes if outcome.complaint]
    return {
        "cases": len(outcomes),
        "by_status": _counts(outcome.status for outcome in outcomes),
        "by_endpoint": {path: _endpoint([each for each in outcomes if each.path == path]) for path in cases.ENDPOINTS},
        "by_format": {
            name: _counts(each.status for each in outcomes if each.image.split()[0] == name)
            for name in sorted({each.image.split()[0] for each in outcomes})
        },
        "failures": {
            "cases": len(failed),
            "reasons": _counts(outcome.complaint for outcome in failed),
            "first": [{"number": each.number, "path": each.path, "image": each.image} for each in failed[:_SHOWN]],
        },
    }


def _endpoint(outcomes: list[Outcome]) -> dict[str, Any]:
    times = sorted(outcome.milliseconds for outcome in outcomes) or [0.0]
    return {
        "cases": len(outcomes),
        "answered_200": sum(outcome.status == "200" for outcome in outcomes),
        "median_ms": round(times[len(times) // 2], 1),
        "slowest_ms": round(times[-1], 1),
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _memory(server: Server) -> tuple[float, float, float]:
    """Return megabytes: present and peak memory of the server, and present memory of its worker processes."""
    now, most = _resident(server.process.pid)
    return now, most, sum(_resident(pid)[0] for pid in workers_of(server.process.pid))


def _resident(pid: int) -> tuple[float, float]:
    """Return present and peak memory of a running process in megabytes; Linux only."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    now, most = (round(int(sizes[name].split()[0]) / _MEGABYTE, 1) for name in ("VmRSS", "VmHWM"))
    return now, most


def _memory_report(memory: list[tuple[float, float, float]]) -> dict[str, Any]:
    server = [now for now, _, _ in memory]
    return {
        "start": server[0],
        "after_a_tenth": server[1],
        "end": server[-1],
        "growth": round(server[-1] / server[1], 3),
        "peak": memory[-1][1],
        "each_tenth": server,
        "workers_each_tenth": [workers for _, _, workers in memory],
    }


def _log(server: Server) -> dict[str, Any]:
    """Count errors and tracebacks in the log of the server."""
    text = server.log.read_text(errors="replace")
    errors = [line for line in text.splitlines() if " ERROR " in line or " CRITICAL " in line]
    return {"errors": len(errors), "tracebacks": text.count("Traceback (most "), "first": errors[:_SHOWN]}
