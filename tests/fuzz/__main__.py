"""Mutated uploads and requests against a real server process on loopback.

    python -m tests.fuzz --cases 100000 --seed 0 --out docs/results/data/fuzz.json

Each case must get a response within seconds (`client.LIMITS`). The status is below 500, or 503 with Retry-After, and a
rejection carries problem details or, below /v2, an error of the Open Inference Protocol. The log must hold no error,
and memory must not grow from the first tenth to the end. The exit status is 1 otherwise. Mutations make images of any
size, and large images are slow without any damage. So the server accepts at most 512 x 512 pixels, and the seconds
measure damage alone.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from models.evaluation.report_kinds import Kind
from tests.benchmarks.reporting import write_report
from tests.fuzz import campaign
from tests.service.images import DRAWING
from tests.service.processes import STARTED_WITHIN, Server, serving
from training.loop.provenance import commit

TIMEOUTS = {"upload_timeout": 4, "request_timeout": 150, "compress_timeout": 60}
SETTINGS = {"max_pixels": str(512 * 512), "log_level": "warning"}


def main(argv: Sequence[str] | None = None, module: str = "service") -> int:
    """Parse flags, run the cases against `python -m module`, and write the JSON file; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="number of cases (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cases (%(default)s)")
    parser.add_argument("--connections", type=int, default=4, help="connections at once (%(default)s)")
    parser.add_argument("--minutes", type=float, help="end after so many minutes, also with fewer cases")
    parser.add_argument(
        "--patience", type=float, default=1.0, help="factor on the limits of seconds, for a busy machine (%(default)s)"
    )
    parser.add_argument("--only", default="", help="beginning of the paths that are asked, such as /v2 (default: all)")
    parser.add_argument("--keep", type=Path, help="folder for failed requests and the log of the server")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    options = f"--cases {args.cases} --seed {args.seed} --connections {args.connections} --out {args.out}"
    if args.minutes is not None:
        options += f" --minutes {args.minutes:g}"
    if args.patience != 1:
        options += f" --patience {args.patience:g}"
    if args.only:
        options += f" --only {args.only}"
    report = write_report(args.out, Kind.FUZZ, f"tests.fuzz {options}", run(args, module))
    print(json.dumps(report, indent=1))
    return 0 if campaign.passed(report) else 1


def run(args: argparse.Namespace, module: str) -> dict[str, Any]:
    """Run the campaign and return its measurements."""
    settings = SETTINGS | {name: f"{seconds * args.patience:g}" for name, seconds in TIMEOUTS.items()}
    with tempfile.TemporaryDirectory() as folder, serving(module, Path(folder) / "log", **settings) as server:
        server.wait_until_ready(within=STARTED_WITHIN * args.patience)
        warm(server, 120 * args.patience)
        started = time.perf_counter()
        plan = campaign.Plan(args.seed, args.cases, args.connections, args.minutes, args.patience, args.only)
        report = campaign.run(server, plan, args.keep)
        seconds = time.perf_counter() - started
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            (args.keep / "log").write_bytes(server.log.read_bytes())
    head = {"commit": commit(), "settings": settings}
    return head | {"seconds": round(seconds, 1), "cases_per_second": round(report["cases"] / seconds, 1)} | report


def warm(server: Server, seconds: float) -> None:
    """Start the worker processes before the first case, because that takes seconds."""
    for path, headers in (("/compress", {"Accept": "image/bpg"}), ("/benchmark", {})):
        url = f"{server.url}{path}"
        httpx.post(url, content=DRAWING, headers=headers, timeout=seconds, trust_env=False).raise_for_status()


if __name__ == "__main__":
    sys.exit(main())
