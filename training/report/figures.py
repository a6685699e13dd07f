"""Drawing of every figure of evaluations, from their JSON files alone.

    python -m training.report.figures --results docs/results/data/cifar10.json --out docs/results/figures

The files written for NAME.json depend on its kind:

- `training.evaluate`: NAME-accuracy.png, top-1 over log2 K, as figure 5 of the ColorCNN paper; NAME-rate.png, top-1
  over bits per pixel, beside JPEG, WebP and 24-bit PNG; NAME-rate-payload.png, the same without the bytes that do not
  depend on the picture; NAME-quality.png, bytes over PSNR. `--beside FILE` adds the rows of another file.
- `training.evaluate.bpg`, figure 7 of the reproduction study: NAME-bits.png and NAME-bits-payload.png, bits per pixel
  over QP; NAME-rate.png and NAME-likeness.png, top-1 and PSNR over bits per pixel.
- `training.evaluate.fidelity`: NAME-likeness.png, top-1 over PSNR.
- `training.evaluate.finetuning`: NAME-accuracy.png, top-1 over log2 K before and after (figure 6); with BPG
  NAME-before.png and NAME-after.png, top-1 over bits per pixel (figures 8 and 9).

    python -m training.report.figures --maps 12 40 --data DATA/cifar10 --out docs/results/figures

This command writes DATASET-maps.png: the images of the test set with these numbers, in few colors by the shipped
quantizer and by median cut, under the activation map of their true class, as figures 1 and 2 of the ColorCNN paper. The
command quantizes the images again, because their license does not allow us to store them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from models.report.plots import png
from training.cli import command_line
from training.report.contact_sheet import MapsOptions, draw_maps
from training.report.kinds import figures
from training.report.reading import read_together


class FiguresOptions(MapsOptions):
    """Draw every figure of evaluations from their JSON files."""

    results: tuple[Path, ...] = ()
    """JSON files of evaluations."""
    beside: tuple[Path, ...] = ()
    """JSON files whose rows are added to --results."""


def figures_of(file: Path, others: Sequence[Path] = ()) -> Mapping[str, Figure]:
    """Return every figure of the report in a JSON file, by the ending of its file name.

    others: reports whose rows are added to the figures. Raises OSError, or BadReport for any other file.
    """
    return figures(read_together(file, others))


def main(argv: Sequence[str] | None = None) -> list[Path]:
    """Draw the figures of a command line; return the written files."""
    options = command_line.parse(FiguresOptions, "training.report.figures", argv)
    if bool(options.results) == bool(options.maps):
        raise SystemExit("give either --results or --maps")
    if options.maps:
        return [draw_maps(options)]
    drawn = {
        options.out / f"{results.stem}-{name}.png": figure
        for results in options.results
        for name, figure in figures_of(results, options.beside).items()
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for file, figure in drawn.items():
        file.write_bytes(png(figure))
    return list(drawn)


if __name__ == "__main__":
    command_line.run(main)
