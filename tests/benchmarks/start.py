"""Start of the service: seconds until it is ready, and its memory, by COLORCNN_LOAD; weights of each network.

    python -m tests.benchmarks.start --out docs/results/data/start.json

A start is a new process with the shipped models and one thread for networks. The memory is the resident set at the end
of the work that follows readiness, such as the import of what a few methods need. Seconds on the clock depend on what
else runs on the machine, seconds of CPU much less.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from models.evaluation.report_kinds import Kind
from models.zoo.checkpoint import Checkpoint
from models.zoo.registry import Registry
from tests.benchmarks.reporting import caveat, write_report
from tests.service.processes import Server, serving
from training.report import markdown

LOADS = ("defaults", "all")
_MIB = 1 << 10  # of the kibibytes in /proc


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure, write the JSON file and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.start", description=__doc__)
    parser.add_argument("--starts", type=int, default=3, help="starts of each setting (%(default)s)")
    parser.add_argument("--other-load", help="what else ran on the machine, for the report; by default nothing")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    rows = [measure(load, args.starts) for load in LOADS]
    command = f"tests.benchmarks.start --starts {args.starts} --out {args.out}"
    measured = {"rows": rows, "networks": networks(rows[0]["names"])}
    report = write_report(args.out, Kind.START, command, measured, args.other_load)
    print(tables(report))
    return report


def measure(load: str, starts: int) -> dict[str, Any]:
    """Return medians over some starts with COLORCNN_LOAD=`load`."""
    cpu: list[float] = []
    clock: list[float] = []
    memory: list[int] = []
    names: list[str] = []
    for _ in range(starts):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            with serving("service", Path(folder) / "log", threads="1", load=load) as server:
                server.wait_until_ready()
                clock.append(time.perf_counter() - began)
                cpu.append(_cpu_seconds(server))
                server.wait_until_warm()
                memory.append(_resident_mib(server))
                names = httpx.get(f"{server.url}/readyz", timeout=5, trust_env=False).json()["loaded"]
    seconds = {"cpu_seconds": round(median(cpu), 1), "clock_seconds": round(median(clock), 1)}
    return {"load": load, "names": names, **seconds, "mib": round(median(memory))}


def networks(at_start: Collection[str]) -> list[dict[str, Any]]:
    """Return name, size of the weights in memory and use at the start of each shipped network.

    Weights that a network shares with another one count there alone.
    """
    registry = Registry.open()
    sizes = {entry.name: _own_bytes(registry.read(entry.name)) for entry in registry.available()}
    return [{"name": name, "mib": round(size / 2**20, 1), "at_start": name in at_start} for name, size in sizes.items()]


def _own_bytes(stored: Checkpoint) -> int:
    shared = tuple(f"{module}." for module in stored.shared)
    return sum(tensor.nbytes for name, tensor in stored.tensors.items() if not name.startswith(shared))


def _cpu_seconds(server: Server) -> float:
    """Return the time of the processors in the process so far, in user and in system mode."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) // _MIB


def tables(report: Mapping[str, Any]) -> str:
    """Return the Markdown tables of settings and of networks, one below the other."""
    return f"{table(report)}\n\n{networks_table(report)}{caveat(report)}"


def table(report: Mapping[str, Any]) -> str:
    """Return a Markdown table with a line for each setting; beside other work, seconds on the clock mean nothing."""
    lines = [
        [
            f"`COLORCNN_LOAD={row['load']}`",
            str(len(row["names"])),
            "" if report.get("other_load") else f"{row['clock_seconds']} s",
            f"{row['cpu_seconds']} s",
            f"{row['mib']} MiB",
        ]
        for row in report["rows"]
    ]
    return markdown.table(["setting", "networks in memory", "ready after", "CPU time until ready", "memory"], lines)


def networks_table(report: Mapping[str, Any]) -> str:
    """Return a Markdown table with a line for each network."""
    lines = [
        [f"`{row['name']}`", f"{row['mib']} MiB", "at the start" if row["at_start"] else "at its first use"]
        for row in report["networks"]
    ]
    return markdown.table(["network", "weights in memory", "loaded"], lines)


if __name__ == "__main__":
    main()
