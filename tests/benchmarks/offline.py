"""training.quantize_dataset on this machine: one process with its pool, and workers on Ray.

    python -m tests.benchmarks.offline --data DATA/cifar10 --out docs/results/data/offline.json

Images of the training split are copied into two small datasets; the test split is not read. Each command runs on both.
The difference of the two times is the time for the images in between, and what is left of the shorter time is the
start: Python, models, and Ray with its workers. Seconds of CPU are those of all processes of a command and, unlike
seconds on the clock, depend little on what else runs. The memory is the largest sum over these processes, where shared
pages count once.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.evaluation.report_kinds import Kind
from tests.benchmarks.reporting import caveat, write_report
from tests.service.processes import family, proportional_kib
from training.data.datasets import read, write_part
from training.data.layouts import ImageTable, find
from training.report import markdown

METHODS: Mapping[str, tuple[str, ...]] = {
    "`colorcnn`, 4 colors": ("--quantizer", "cifar10-resnet9-colorcnn", "--colors", "4"),
}
ENGINES: Mapping[str, tuple[str, ...]] = {
    "local": (),
    "ray, 1 worker": ("--engine", "ray", "--workers", "1"),
    "ray, 2 workers": ("--engine", "ray", "--workers", "2"),
}
_BLOCK = 500  # images of a file: small, so that both workers are busy to the end
_OTHERS = 2  # images besides those of training: one to hold out, one as the test split
_SECONDS = 0.2  # between two looks at the memory
_MIB = 1 << 10  # of the kibibytes in /proc


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure, write the JSON file and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.offline", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder, of which the training split is read")
    parser.add_argument("--images", type=int, nargs=2, default=[1000, 3000], help="of the two datasets (%(default)s)")
    parser.add_argument("--other-load", help="what else ran on the machine, for the report; by default nothing")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    rows = measure(args.data, args.images, METHODS, ENGINES)
    fewer, more = args.images
    command = f"tests.benchmarks.offline --data DATA/{args.data.name} --images {fewer} {more} --out {args.out}"
    report = write_report(args.out, Kind.OFFLINE, command, {"images": args.images, "rows": rows}, args.other_load)
    print(table(report))
    return report


def measure(
    data: Path, images: Sequence[int], methods: Mapping[str, Sequence[str]], engines: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Return a row for each method and engine. images: of the smaller and of the larger dataset."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        table = find(data, "train")
        for count in images:
            copy(table, count, place / str(count))
        rows: list[dict[str, Any]] = []
        for method, chosen in methods.items():
            for engine, flags in engines.items():
                out = place / f"out-{len(rows)}"
                runs = [run([*chosen, *flags], place / str(count), out / str(count)) for count in images]
                rows.append({"method": method, "engine": engine, **summary(images, runs)})
    return rows


def copy(table: ImageTable, count: int, folder: Path) -> None:
    """Write a dataset with `count` images to train on, and those that every dataset needs besides."""
    folder.mkdir()
    numbers = np.arange(count + _OTHERS)
    for split, chosen in (("train", numbers[:-1]), ("test", numbers[-1:])):
        part = table.select(chosen)
        files = {number: file() for number, _, file in part.files()}
        write_part(folder / f"{split}-00000.parquet", [files[number] for number in range(len(part))], read(part, 1))


@dataclass(frozen=True)
class Cost:
    """Cost of a command: seconds on the clock, seconds of CPU of all its processes, and its largest memory in MiB."""

    seconds: float
    cpu_seconds: float
    mib: int


def run(flags: Sequence[str], data: Path, out: Path) -> Cost:
    """Run the command and watch its processes."""
    words = ["--data", str(data), "--out", str(out), "--held-out", "1", "--block", str(_BLOCK), "--device", "cpu"]
    # Each engine chooses its threads.
    variables = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "RAY_ADDRESS")}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "training.quantize_dataset", *words, *flags], env=variables, stdout=subprocess.DEVNULL
    )
    most = 0
    spent: dict[int, float] = {}
    while process.poll() is None:
        pids = list(family(process.pid))
        most = max(most, sum(map(proportional_kib, pids)) // _MIB)
        spent |= {pid: max(cpu_seconds(pid), spent.get(pid, 0)) for pid in pids}
        time.sleep(_SECONDS)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"the command ended with status {process.returncode}")
    return Cost(seconds, sum(spent.values()), most)


def cpu_seconds(pid: int) -> float:
    """Return the time of the processors in a process so far. Return 0 after its end."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def summary(images: Sequence[int], runs: Sequence[Cost]) -> dict[str, Any]:
    """Return the start and the time for each image, on the clock and of CPU, from runs with two numbers of images."""
    clock, cpu = [one.seconds for one in runs], [one.cpu_seconds for one in runs]
    start, each = line(images, clock)
    cpu_start, cpu_each = line(images, cpu)
    return {
        "seconds": [round(value, 1) for value in clock],
        "cpu_seconds": [round(value, 1) for value in cpu],
        "start_seconds": round(start, 1),
        "milliseconds": round(1000 * each, 2),
        "cpu_start_seconds": round(cpu_start, 1),
        "cpu_milliseconds": round(1000 * cpu_each, 2),
        "mib": max(one.mib for one in runs),
    }


def line(images: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """Return the seconds at no image, at least 0, and those for each image, on the line through two points."""
    each = (seconds[1] - seconds[0]) / (images[1] - images[0])
    return max(0.0, seconds[0] - images[0] * each), each


def table(report: Mapping[str, Any]) -> str:
    """Return a Markdown table with a line for each method and engine; beside other work, the clock means nothing."""
    alone = not report.get("other_load")
    lines = [
        [
            *(row["method"], row["engine"]),
            *((f"{row['start_seconds']:.0f} s", f"{1000 / row['milliseconds']:.0f}") if alone else ()),
            f"{row['cpu_start_seconds']:.0f} s",
            f"{row['cpu_milliseconds']:.1f} ms",
            f"{row['mib']:,} MiB",
        ]
        for row in report["rows"]
    ]
    clock = ["start", "images a second"] if alone else []
    heading = ["quantizer", "engine", *clock, "CPU time of the start", "CPU time an image", "memory"]
    return markdown.table(heading, lines) + caveat(report)


if __name__ == "__main__":
    main()
