"""Cost of the refinement for the classifier beside the search alone, as ratios.

    python -m tests.benchmarks.refinement --out docs/results/data/refinement.json

One quantizer applies both methods alternately to the same images: a batch of 64 squares of scikit-learn's china.jpg at
32x32, and the photo at 512x512. The refinement of an image stops when the classifier reads it well enough, so its cost
depends on the images; these show none of the classifier's classes.
"""

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch

from models.evaluation.report_kinds import Kind
from models.names import REFINED
from models.quantizers.learned.colorcnn import load_quantizer
from models.zoo.registry import Registry
from tests.benchmarks.network import COLORS, MODEL, large_image, medians_of, served, small_images
from tests.benchmarks.reporting import write_report
from training.report import markdown


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, measure and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.refinement", description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="turns of each method, after one to warm up (%(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="images in a batch at 32x32 (%(default)s)")
    parser.add_argument("--side", type=int, default=512, help="side of the large image in pixels (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    flags = f"--turns {args.turns} --batch {args.batch} --side {args.side} --out {args.out}"
    measured = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "model": MODEL,
        "rows": measure(args.batch, args.side, args.turns),
    }
    report = write_report(args.out, Kind.REFINEMENT, f"tests.benchmarks.refinement {flags}", measured)
    print(table(report))
    return report


def measure(batch: int, side: int, turns: int) -> list[dict[str, Any]]:
    """Measure each size and number of colors; `ratio` is the time of the refinement over the search alone."""
    plain = load_quantizer(Registry.open(), MODEL, torch.device("cpu"))
    methods = {"search": plain, "refined": plain.for_method(REFINED)}
    rows = []
    for images, colors in product((small_images(plain.size, batch), large_image(side)), COLORS):
        ways = {name: served(quantizer, images, colors) for name, quantizer in methods.items()}
        for work in ways.values():
            work()
        medians = medians_of(ways, turns)
        rows.append(
            {
                "side": images.shape[1],
                "batch": len(images),
                "colors": colors,
                **{f"{name}_ms": milliseconds for name, milliseconds in medians.items()},
                "ratio": round(medians["refined"] / medians["search"], 2),
            }
        )
    return rows


def table(report: dict[str, Any]) -> str:
    """Return a Markdown table with a line for each row of the report."""
    rows = [
        [
            f"{row['batch']} of {row['side']}x{row['side']}",
            str(row["colors"]),
            f"{row['search_ms'] / row['batch']:.1f}",
            f"{row['refined_ms'] / row['batch']:.1f}",
            f"{row['ratio']:.1f}",
        ]
        for row in report["rows"]
    ]
    return markdown.table(["images", "K", "`colorcnn`, ms an image", "`colorcnn_refined`", "times as long"], rows)


if __name__ == "__main__":
    main()
