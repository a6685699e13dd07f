"""Classical quantizers on a photograph of 8 megapixels, beside Pillow's median cut and the same algorithm in Pillow.

    python -m tests.benchmarks.quantizers --out docs/results/data/quantizers.json

The image is scikit-learn's china.jpg, scaled up, so it has about as many distinct colors as a camera's picture. All
cases take turns on one thread. Seconds of CPU, unlike seconds on the clock, hardly depend on what else runs.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image
from threadpoolctl import threadpool_limits

from models.evaluation.report_kinds import Kind
from models.quantizers.classical.catalog import CLASSICAL
from models.rgb import Pixels
from tests.benchmarks.reporting import write_report
from training.report import markdown

WIDTH, HEIGHT = 3456, 2304
COLORS = (16, 256)
PILLOW = {"median_cut": 0, "max_coverage": 1, "octree": 2}
"""The quantizers that Pillow has too, and Pillow's numbers of them."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure, write the JSON file and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quantizers", description=__doc__)
    parser.add_argument("--turns", type=int, default=3, help="of each quantizer (%(default)s)")
    parser.add_argument("--width", type=int, default=WIDTH, help="of the image in pixels (%(default)s)")
    parser.add_argument("--height", type=int, default=HEIGHT, help="of the image in pixels (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    flags = f"--turns {args.turns} --width {args.width} --height {args.height} --out {args.out}"
    measured = measure(photo(args.width, args.height), args.turns)
    report = write_report(args.out, Kind.QUANTIZERS, f"tests.benchmarks.quantizers {flags}", measured)
    print(table(report))
    return report


def photo(width: int, height: int) -> Pixels:
    """Return the photograph at this size, (H, W, 3) uint8 sRGB."""
    scaled = Image.fromarray(load_sample_image("china.jpg")).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(scaled)


def measure(pixels: Pixels, turns: int) -> dict[str, Any]:
    """Measure every classical quantizer and number of colors."""
    image = Image.fromarray(pixels)
    works: dict[tuple[str, int], Callable[[], object]] = {
        (name, colors): lambda quantizer=quantizer, colors=colors: quantizer.quantize(pixels, colors)  # type: ignore[misc]
        for name, quantizer in CLASSICAL.items()
        for colors in COLORS
    }
    works |= {
        (f"pillow {name}", colors): lambda method=method, colors=colors: image.quantize(
            colors, method, dither=Image.Dither.NONE
        )  # type: ignore[misc]
        for name, method in PILLOW.items()
        for colors in COLORS
    }
    seconds: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    with threadpool_limits(1):
        for _ in range(turns):
            for case, work in works.items():
                started = time.process_time()
                work()
                seconds[case].append(time.process_time() - started)
    spent = {case: median(times) for case, times in seconds.items()}
    rows = [_row(name, colors, spent) for name in CLASSICAL for colors in COLORS]
    return {"width": pixels.shape[1], "height": pixels.shape[0], "rows": rows}


def _row(name: str, colors: int, spent: Mapping[tuple[str, int], float]) -> dict[str, Any]:
    own = spent[name, colors]
    row = {"method": name, "colors": colors, "cpu_seconds": round(own, 3)}
    row |= {"to_median_cut": round(own / spent["pillow median_cut", colors], 2)}
    return row | ({"to_same": round(own / spent[f"pillow {name}", colors], 2)} if name in PILLOW else {})


def table(report: Mapping[str, Any]) -> str:
    """Return a Markdown table with a line for each quantizer and number of colors."""
    lines = [
        [
            *(f"`{row['method']}`", str(row["colors"]), f"{row['cpu_seconds']:.2f} s", f"x {row['to_median_cut']:.2f}"),
            f"x {row['to_same']:.2f}" if "to_same" in row else "",
        ]
        for row in report["rows"]
    ]
    heading = ["method", "colors", "CPU time", "to median cut of Pillow", "to the same method of Pillow"]
    return markdown.table(heading, lines)


if __name__ == "__main__":
    main()
