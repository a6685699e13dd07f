"""Every figure of evaluations, from their JSON files alone.

    python -m training.report.figures --results docs/results/data/cifar10.json --out docs/results/figures

For NAME.json: NAME-accuracy.png, top-1 over log2 K bits as in figure 5 of the ColorCNN paper; NAME-rate.png,
top-1 over bits per pixel beside JPEG, WebP and 24-bit PNG; NAME-rate-payload.png, the same without the bytes that do
not depend on the picture; NAME-quality.png, bytes over PSNR. With `--beside FILE` its rows are drawn too.

Of a study of BPG (figure 7 of the reproduction study): NAME-bits.png and NAME-bits-payload.png, bits per pixel over QP;
NAME-rate.png and NAME-likeness.png, top-1 and PSNR over bits per pixel. Of `training.evaluate.fidelity`:
NAME-likeness.png, top-1 over PSNR. Of `training.evaluate.finetuning`: NAME-accuracy.png, top-1 over log2 K before and
after (figure 6), or, with BPG, NAME-before.png and NAME-after.png, top-1 over bits per pixel (figures 8 and 9).

    python -m training.report.figures --maps 12 40 --data DATA/cifar10 --out docs/results/figures

DATASET-maps.png: images of the test set by their numbers, in few colors by the shipped quantizer and by median cut,
under the activation map of their true class, as figures 1 and 2 of the ColorCNN paper; the one figure that is
painted anew, since the images are not ours to keep.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from matplotlib.figure import Figure

from models.evaluation.compare import Summary
from models.quantizers.classical.catalog import CLASSICAL
from models.report.comparison_plots import bytes_over_psnr, top1_over_colors, top1_over_rate
from models.report.plots import png
from training.cli.arguments import add_data_flags, add_models_flag, command
from training.report import fidelity, finetuning
from training.report.bpg_figures import bpg_figures
from training.report.contact_sheet import draw_maps
from training.report.reading import read_together


@dataclass(frozen=True)
class Report:
    """What the figures need of a JSON file.

    subject: what was measured on. original: top-1 on the originals, 0 to 1. codec: of a study of BPG, such as
    "BPG 4:2:0"; None of other evaluations. knob: what the rows differ in beside K, if it is no codec's quality.
    """

    subject: str
    original: float
    rows: tuple[Summary, ...]
    codec: str | None = None
    knob: str | None = None

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Of what `training.evaluate` or another evaluation wrote; KeyError or TypeError for anything else."""
        rows = tuple(Summary(**row) for row in content["rows"])
        return cls(_subject(content), content["top1_original"], rows, content.get("codec"), content.get("knob"))

    def figures(self) -> Mapping[str, Figure]:
        """Every figure, by the ending of its file's name."""
        if self.codec:
            return bpg_figures(self.rows, f"{self.subject}, {self.codec}", self.original)
        if self.knob:
            return fidelity.figures(self.rows, self.subject, self.original)
        return {
            "accuracy": top1_over_colors(self.rows, self.subject, self.original),
            "rate": top1_over_rate(self.rows, self.subject, self.original, payload=False),
            "rate-payload": top1_over_rate(self.rows, self.subject, self.original, payload=True),
            "quality": bytes_over_psnr(self.rows, self.subject),
        }


def figures_of(file: Path, others: Sequence[Path] = ()) -> Mapping[str, Figure]:
    """Every figure of the report in a JSON file, by the ending of its file's name; SystemExit for any other file.

    others: reports whose rows are drawn beside its own.
    """
    try:
        content = read_together(file, others)
        if "tuning" in content:
            return finetuning.figures(content, _subject(content))
        return Report.of(content).figures()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"error: {file} holds no results of training.evaluate: {error}") from error


def _subject(content: Mapping[str, Any]) -> str:
    return "{dataset}, {images:,} images of {split}, {classifier}".format_map(content)


def main(argv: Sequence[str] | None = None) -> list[Path]:
    """Parse flags and draw; returns the files written."""
    args = _parser().parse_args(argv)
    if args.maps:
        return [draw_maps(args)]
    drawn = {
        args.out / f"{results.stem}-{name}.png": figure
        for results in args.results
        for name, figure in figures_of(results, args.beside).items()
    }
    args.out.mkdir(parents=True, exist_ok=True)
    for file, figure in drawn.items():
        file.write_bytes(png(figure))
    return list(drawn)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.report.figures", description="Draw every figure of evaluations from their JSON files."
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--results", type=Path, nargs="+", metavar="FILE", help="JSON files that evaluations wrote")
    source.add_argument("--maps", type=int, nargs="+", metavar="NUMBER", help="images of the test set, from 0")
    parser.add_argument(
        "--beside", type=Path, nargs="+", default=[], metavar="FILE", help="files whose rows are drawn with --results"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    maps = parser.add_argument_group("what --maps needs")
    add_data_flags(maps)
    add_models_flag(maps)
    maps.add_argument("--classifier", help="published classifier whose maps these are (default: the manifest's)")
    maps.add_argument("--quantizer", help="published learned quantizer (default: the manifest's)")
    maps.add_argument(
        "--methods", nargs="*", choices=sorted(CLASSICAL), default=["median_cut"], help="other rows (median_cut)"
    )
    return parser


if __name__ == "__main__":
    command(main)
