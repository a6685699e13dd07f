"""JSON reports of benchmarks: kind, schema version, command and hardware stand before the measurements."""

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.evaluation.report_kinds import Kind, head
from models.threads import available_cpus


def write_report(
    file: Path, kind: Kind, command: str, measured: Mapping[str, Any], other_load: str | None = None
) -> dict[str, Any]:
    """Write the report of a benchmark to `file` and return it.

    command: arguments of `python -m` that repeat the benchmark.
    other_load: what else ran on the machine; None for nothing.
    """
    hardware = f"{available_cpus()} CPU cores, {platform.machine()}"
    report = head(kind) | {"command": f"python -m {command}", "hardware": hardware}
    report |= ({"other_load": other_load} if other_load else {}) | dict(measured)
    file.write_text(json.dumps(report, indent=1) + "\n")
    return report


def caveat(report: Mapping[str, Any]) -> str:
    """Return a paragraph on what else ran on the machine, to stand below a table; empty where nothing did."""
    other = report.get("other_load")
    return f"\n\nPreliminary, since other work ran on the machine: {other}." if other else ""
