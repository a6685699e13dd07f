"""Large photos through a running service: seconds, and memory above the idle service.

    python -m tests.benchmarks.photo --out photo.json

One client sends tests/photos/cat.jpg, scaled up and saved as JPEG, to /quantize, one request after the other. Memory is
the peak of the resident memory during the request, minus the resident memory of the ready service.

The rows vary the size with one method. The further rows `methods` vary the method at two sizes, four colors, and with
the defaults for photographs: seconds, and the ratio to k-means.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from models.evaluation.report_kinds import Kind
from models.names import LEARNED_METHOD
from tests.benchmarks.reporting import write_report
from tests.service.processes import ROOT, Server, serving

PHOTO = ROOT / "tests" / "photos" / "cat.jpg"
PATIENCE = 300.0  # seconds
SIZES = ((2, 1.0), (2, 3.0), (2, 12.0), (2, 48.0), (256, 1.0), (256, 6.0))
"""(colors, megapixels)."""
REFERENCE = "kmeans"
METHODS = (REFERENCE, None, "halftone", "refined_one_pass", "refined")
"""Methods for photographs, None for the default; one that the service does not have is left out."""
PHOTOGRAPHS = (0.4, 12.0)
"""Megapixels of the photographs of METHODS."""
PHOTOGRAPH_COLORS = 4


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.photo", description=__doc__)
    parser.add_argument(
        "--turns", type=int, default=2, help="requests of each size, whose mean is reported (%(default)s)"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="factor of all numbers of pixels (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, serving("service", Path(folder) / "log", threads="") as server:
        server.wait_until_warm()
        rows = measure(server, args.turns, args.scale)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("service", Path(folder) / "log", threads="", photograph_defaults="true") as server,
    ):
        server.wait_until_warm()
        methods = measure_methods(server, args.turns, args.scale)
    command = f"tests.benchmarks.photo --turns {args.turns} --scale {args.scale:g} --out {args.out}"
    report = write_report(args.out, Kind.PHOTO, command, {"rows": rows, "methods": methods})
    print(json.dumps(report, indent=1))
    return report


def measure(server: Server, turns: int, scale: float) -> list[dict[str, Any]]:
    """Measure each size; `ratio` is its time per pixel over the smallest size's with as many colors."""
    rows: list[dict[str, Any]] = []
    first: dict[int, float] = {}
    with httpx.Client(base_url=server.url, timeout=PATIENCE, trust_env=False) as client:
        send(client, PHOTO.read_bytes(), 2)
        idle = memory(server, "VmRSS")
        for colors, megapixels in SIZES:
            file, pixels = enlarged(1e6 * megapixels * scale)
            restart_peak(server)
            seconds = sum(send(client, file, colors) for _ in range(turns)) / turns
            per_megapixel = seconds / pixels * 1e6
            row = {"colors": colors, "megapixels": float(f"{pixels / 1e6:.3g}"), "upload_bytes": len(file)}
            row |= {"seconds": round(seconds, 3), "seconds_per_megapixel": round(per_megapixel, 4)}
            row |= {"ratio": round(per_megapixel / first.setdefault(colors, per_megapixel), 2)}
            rows.append(row | {"peak_mib_over_idle": round((memory(server, "VmHWM") - idle) / 1024, 1)})
    return rows


def measure_methods(server: Server, turns: int, scale: float) -> list[dict[str, Any]]:
    """Measure each method at each size; `ratio` is its time over the time of REFERENCE."""
    rows: list[dict[str, Any]] = []
    with httpx.Client(base_url=server.url, timeout=PATIENCE, trust_env=False) as client:
        known = client.get("/models").raise_for_status().json()["methods"]
        methods = [method for method in METHODS if method is None or method in known]
        for megapixels in PHOTOGRAPHS:
            file, pixels = enlarged(1e6 * megapixels * scale)
            reference = 0.0
            for method in methods:
                send(client, file, PHOTOGRAPH_COLORS, method)  # the first request of a method loads what it needs
                idle = memory(server, "VmRSS")
                restart_peak(server)
                seconds = sum(send(client, file, PHOTOGRAPH_COLORS, method) for _ in range(turns)) / turns
                reference = reference or seconds
                row = {"method": method or "default", "colors": PHOTOGRAPH_COLORS}
                row |= {"megapixels": float(f"{pixels / 1e6:.3g}"), "seconds": round(seconds, 3)}
                row |= {"ratio": round(seconds / reference, 2)}
                rows.append(row | {"peak_mib_over_idle": round((memory(server, "VmHWM") - idle) / 1024, 1)})
    return rows


def enlarged(pixels: float) -> tuple[bytes, int]:
    """Return the photo as JPEG, scaled to about `pixels` pixels, and its number of pixels."""
    with Image.open(PHOTO) as photo:
        factor = (pixels / (photo.width * photo.height)) ** 0.5
        large = photo.resize((round(factor * photo.width), round(factor * photo.height)), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    large.save(buffer, "JPEG", quality=90)
    return buffer.getvalue(), large.width * large.height


def send(client: httpx.Client, file: bytes, colors: int, method: str | None = LEARNED_METHOD) -> float:
    """Send `file` and return the seconds until the response. method: None for the default."""
    params = {"colors": str(colors)} | ({"method": method} if method else {})
    started = time.perf_counter()
    client.post("/quantize", content=file, params=params).raise_for_status()
    return time.perf_counter() - started


def memory(server: Server, field: str) -> int:
    """Return the resident memory of the server in KiB: VmRSS is the present value, VmHWM the peak."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0])


def restart_peak(server: Server) -> None:
    """Reset VmHWM (proc(5), clear_refs)."""
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")


if __name__ == "__main__":
    main()
