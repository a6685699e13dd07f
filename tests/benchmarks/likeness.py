"""PSNR of the classical quantizers on photographs, each base method beside its strong form.

    python -m tests.benchmarks.likeness --photos DATA/kodak --out docs/results/data/likeness.json

Nothing is trained or tuned, and nothing depends on the machine.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image

from models.evaluation.metrics import mean_squared_error, psnr
from models.evaluation.report_kinds import Kind
from models.names import method_name
from models.quantizers.classical.catalog import CLASSICAL
from models.rgb import Pixels
from tests.benchmarks.reporting import write_report
from training.report import markdown

COLORS = (4, 16, 64, 256)
STRONG = {"median_cut_by_error": "median_cut", "octree_nearest": "octree", "wu_nearest": "wu"}
"""The strong form of a method, and its base."""
METHODS = (*(name for strong, base in STRONG.items() for name in (base, strong)), "libimagequant", "kmeans")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure, write the JSON file and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.likeness", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of PNG files")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    files = sorted(args.photos.glob("*.png"))
    if not files:
        parser.error(f"there is no PNG file in {args.photos}")
    command = f"tests.benchmarks.likeness --photos DATA/{args.photos.name} --out {args.out}"
    report = write_report(args.out, Kind.LIKENESS, command, measure(files))
    print(table(report))
    return report


def measure(files: Sequence[Path]) -> dict[str, Any]:
    """Measure every method and number of colors on all photographs."""
    found: dict[tuple[str, int], list[float]] = {(method, colors): [] for method in METHODS for colors in COLORS}
    for pixels in _photographs(files):
        for (method, colors), values in found.items():
            error = mean_squared_error(pixels, CLASSICAL[method].quantize(pixels, colors).render())
            decibels = psnr(error)
            if decibels is None:
                raise ValueError(f"a photograph has at most {colors} colors, so its PSNR is infinite")
            values.append(round(decibels, 3))
    rows = [
        {"method": method, "colors": colors, "psnr": round(fmean(values), 3), "psnr_of_each": values}
        for (method, colors), values in found.items()
    ]
    return {"photographs": [file.stem for file in files], "rows": rows}


def _photographs(files: Sequence[Path]) -> Iterator[Pixels]:
    for file in files:
        with Image.open(file) as opened:
            yield np.asarray(opened.convert("RGB"))


def table(report: Mapping[str, Any]) -> str:
    """Return a Markdown table: a line for each method, a column for each number of colors, gains in parentheses."""
    found = {(row["method"], row["colors"]): row["psnr"] for row in report["rows"]}
    lines = [
        [f"`{method}`", method_name(method), *(_cell(found, method, colors) for colors in COLORS)] for method in METHODS
    ]
    return markdown.table(["method", "name", *(f"K = {colors}" for colors in COLORS)], lines)


def _cell(found: Mapping[tuple[str, int], float], method: str, colors: int) -> str:
    own = found[method, colors]
    if method not in STRONG:
        return f"{own:.2f}"
    return f"{own:.2f} ({own - found[STRONG[method], colors]:+.2f})"


if __name__ == "__main__":
    main()
