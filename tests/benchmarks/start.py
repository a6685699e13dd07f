"""Start of the service: seconds of CPU until it is ready, and its memory, by COLORCNN_LOAD.

    python -m tests.benchmarks.start --out docs/results/data/start.json

A start is a new process with the shipped models and one thread for networks. The memory is the resident set right after
the start. Seconds of CPU, unlike seconds on the clock, hardly depend on what else runs on the machine.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from models.evaluation.reports import Kind
from tests.benchmarks.reporting import write_report
from tests.service.processes import Server, serving
from training.report import markdown

LOADS = ("defaults", "all")
_MIB = 1 << 10  # of the kibibytes in /proc


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure, write the JSON file and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.start", description=__doc__)
    parser.add_argument("--starts", type=int, default=3, help="starts of each setting (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    rows = [measure(load, args.starts) for load in LOADS]
    command = f"tests.benchmarks.start --starts {args.starts} --out {args.out}"
    report = write_report(args.out, Kind.START, command, {"rows": rows})
    print(table(report))
    return report


def measure(load: str, starts: int) -> dict[str, Any]:
    """Return medians over some starts with COLORCNN_LOAD=`load`."""
    cpu: list[float] = []
    clock: list[float] = []
    memory: list[int] = []
    networks = 0
    for _ in range(starts):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            with serving("service", Path(folder) / "log", threads="1", load=load) as server:
                server.wait_until_ready()
                clock.append(time.perf_counter() - began)
                cpu.append(_cpu_seconds(server))
                memory.append(_resident_mib(server))
                networks = len(httpx.get(f"{server.url}/readyz", timeout=5, trust_env=False).json()["loaded"])
    seconds = {"cpu_seconds": round(median(cpu), 1), "clock_seconds": round(median(clock), 1)}
    return {"load": load, "networks": networks, **seconds, "mib": round(median(memory))}


def _cpu_seconds(server: Server) -> float:
    """Return the time of the processors in the process so far, in user and in system mode."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) // _MIB


def table(report: Mapping[str, Any]) -> str:
    """Return a Markdown table with a line for each setting."""
    lines = [
        [f"`COLORCNN_LOAD={row['load']}`", str(row["networks"]), f"{row['cpu_seconds']} s", f"{row['mib']} MiB"]
        for row in report["rows"]
    ]
    return markdown.table(["setting", "networks in memory", "CPU time until ready", "memory"], lines)


if __name__ == "__main__":
    main()
