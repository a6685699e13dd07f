"""Every figure of an evaluation, from its JSON file alone.

    python -m training.figures --results results/cifar10.json --out results

For results/NAME.json: NAME-accuracy.png, top-1 over log2 K bits as in figure 5 of the ColorCNN paper; NAME-rate.png,
top-1 over bits per pixel beside JPEG, WebP and 24-bit PNG; NAME-rate-payload.png, the same without the bytes that do
not depend on the picture; NAME-quality.png, bytes over PSNR.

Of a study of BPG (figure 7 of the reproduction study): NAME-bits.png and NAME-bits-payload.png, bits per pixel over QP;
NAME-rate.png and NAME-likeness.png, top-1 and PSNR over bits per pixel. Of `training.evaluate_fidelity`:
NAME-likeness.png, top-1 over PSNR.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from matplotlib.figure import Figure

from models.compare import Summary
from models.comparison_plots import bytes_over_psnr, top1_over_colors, top1_over_rate
from models.plots import png
from training import fidelity_report, run
from training.bpg_figures import bpg_figures


@dataclass(frozen=True)
class Report:
    """What the figures need of a JSON file.

    subject: what was measured on. original: top-1 on the originals, 0 to 1. codec: of a study of BPG, such as
    "BPG 4:2:0"; None of other evaluations. knob: what the rows differ in beside K, if it is no codec's quality.
    """

    subject: str
    original: float
    rows: tuple[Summary, ...]
    codec: str | None
    knob: str | None

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read what `training.evaluate` or `training.evaluate_bpg` wrote; SystemExit for any other file."""
        try:
            content = json.loads(file.read_bytes())
            subject = "{dataset}, {images:,} images of {split}, {classifier}".format_map(content)
            return cls(
                subject,
                content["top1_original"],
                tuple(Summary(**row) for row in content["rows"]),
                content.get("codec"),
                content.get("knob"),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SystemExit(f"error: {file} holds no results of training.evaluate: {error}") from error

    def figures(self) -> Mapping[str, Figure]:
        """Every figure, by the ending of its file's name."""
        if self.codec:
            return bpg_figures(self.rows, f"{self.subject}, {self.codec}", self.original)
        if self.knob:
            return fidelity_report.figures(self.rows, self.subject, self.original)
        return {
            "accuracy": top1_over_colors(self.rows, self.subject, self.original),
            "rate": top1_over_rate(self.rows, self.subject, self.original, payload=False),
            "rate-payload": top1_over_rate(self.rows, self.subject, self.original, payload=True),
            "quality": bytes_over_psnr(self.rows, self.subject),
        }


def main(argv: Sequence[str] | None = None) -> list[Path]:
    """Parse flags and draw; returns the files written."""
    args = _parser().parse_args(argv)
    figures = Report.read(args.results).figures()
    args.out.mkdir(parents=True, exist_ok=True)
    files = [args.out / f"{args.results.stem}-{name}.png" for name in figures]
    for file, figure in zip(files, figures.values(), strict=True):
        file.write_bytes(png(figure))
    return files


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.figures", description="Draw every figure of an evaluation from its JSON file."
    )
    parser.add_argument("--results", type=Path, required=True, help="JSON file that training.evaluate wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    return parser


if __name__ == "__main__":
    run.command(main)
