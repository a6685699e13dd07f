"""Every published number about the speed of the service, measured in one run: `make bench`.

    python -m tests.benchmarks.serving --out docs/results/data/serving.json
    python -m tests.benchmarks.serving --table docs/results/data/serving.json

The second command prints the table of ratios. Each part is a benchmark with a command of its own.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

from models.evaluation.report_kinds import Kind, head
from tests.benchmarks import batching, network, photo, png, upload
from training.report import markdown

Report = Mapping[str, Any]

PARTS: Mapping[str, Callable[[Sequence[str]], Report]] = {
    "network": network.main,
    "upload": upload.main,
    "batching": batching.main,
    "png": png.main,
    "photo": photo.main,
}
"""Each part takes its flags, including --out, and returns the report that it wrote."""

_HEADING = ("what", "beside", "measured")


def main(argv: Sequence[str] | None = None) -> Report:
    """Parse flags; measure and write the JSON file, or read it; print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.serving", description=__doc__)
    job = parser.add_mutually_exclusive_group(required=True)
    job.add_argument("--out", type=Path, help="measure and write this JSON file")
    job.add_argument("--table", type=Path, help="only print the table of this JSON file")
    args = parser.parse_args(argv)
    if args.out:
        args.out.write_text(json.dumps(head(Kind.SERVING) | measure(), indent=1) + "\n")
    report: Report = json.loads((args.out or args.table).read_text())
    print(table(report))
    return report


def measure(flags: Mapping[str, Sequence[str]] | None = None) -> dict[str, Report]:
    """Run each part and return its report by name. flags: additional flags by the name of the part."""
    found = {}
    for name, run in PARTS.items():
        with tempfile.TemporaryDirectory() as folder, chdir(folder):  # so that the recorded command names no folder
            found[name] = run([*(flags or {}).get(name, ()), "--out", f"{name}.json"])
    return found


def table(report: Report) -> str:
    """Return a Markdown table with a line for each ratio of the report."""
    lines = (_networks, _uploads, _batches, _files, _photos)
    return markdown.table(list(_HEADING), [list(line) for part in lines for line in part(report)])


def _networks(report: Report) -> Iterator[tuple[str, str, str]]:
    rows: Sequence[Report] = report["network"]["rows"]
    for device, side, batch in dict.fromkeys((row["device"], row["side"], row["batch"]) for row in rows):
        found = [row for row in rows if (row["device"], row["side"]) == (device, side)]
        colors = ", ".join(str(row["colors"]) for row in found)
        what = f"quantizing {batch} of {side}x{side} to {colors} colors, {device.upper()}"
        times = ", ".join(f"{row['ratio']:.1f}" for row in found)
        yield what, "the paper's U-Net, float32, eager", f"{times} times the images per second"


def _uploads(report: Report) -> Iterator[tuple[str, str, str]]:
    devices = {"simulated": "with a simulated device", "cpu": "with the models on the CPU"}
    for row in report["upload"]["rows"]:
        how = {"form": "as a form", "raw": "as the raw body"}[row["sent_as"]]
        what = f"`/quantize` of a {row['image']} {how}, {devices[row['device']]}, {report['upload']['clients']} clients"
        yield what, "a route that only reads the upload", f"{100 * row['ratio']:.0f} % of its requests per second"


def _batches(report: Report) -> Iterator[tuple[str, str, str]]:
    for row in report["batching"]["rows"]:
        what = f"batches on the simulated device, {row['clients']} client{'s' * (row['clients'] > 1)}"
        yield what, "one image at a time", f"{row['ratio']:.1f} times the images per second"


def _files(report: Report) -> Iterator[tuple[str, str, str]]:
    beside = {"default_to_pillow": "Pillow", "max_to_oxipng": "`oxipng -o2`", "max_to_zopfli": "zopfli"}
    rows = [row for row in report["png"]["rows"] if row["method"] == "median_cut"]
    for name, other in beside.items():
        sizes, times = (", ".join(f"{100 * row['ratios'][name][of]:.0f}" for row in rows) for of in ("bytes", "cpu_ms"))
        what = f"photos as PNG of {', '.join(str(row['bits']) for row in rows)} bits, effort `{name.partition('_')[0]}`"
        yield what, other, f"{sizes} % of the bytes in {times} % of the CPU time"


def _photos(report: Report) -> Iterator[tuple[str, str, str]]:
    # A report of an earlier version has no `methods`.
    rows = [row for row in report["photo"]["rows"] if row["colors"] == 2]
    [phone] = [row for row in rows if round(row["megapixels"]) == 12]
    took = f"{phone['seconds']:.1f} s, {phone['peak_mib_over_idle']:.0f} MiB more memory at the peak"
    yield "a photo of 12 megapixels, two colors", "the idle service", took
    first, last = rows[0], rows[-1]
    sizes = [f"{row['megapixels']:.0f} megapixel{'s' * (row['megapixels'] > 1.5)}" for row in (last, first)]
    for row in report["photo"].get("methods", ()):
        if row["method"] != photo.REFERENCE:
            what = f"a photo of {row['megapixels']:g} megapixels, {row['colors']} colors, method `{row['method']}`"
            memory = f"{row['peak_mib_over_idle']:.0f} MiB more memory at the peak"
            yield what, "k-means", f"{row['ratio']:.1f} times as long, {row['seconds']:.2f} s, {memory}"
    yield f"a pixel of a {sizes[0]} photo", f"a pixel of a {sizes[1]} photo", f"{last['ratio']:.2f} times as long"


if __name__ == "__main__":
    main()
