"""Contact sheet of one photo: few colors by several methods, with the prediction for each tile.

    python -m training.report.contact_sheet --photo tests/photos/cat.jpg --out docs/results/figures/cat.png

The sheet resembles figure 2 of the ColorCNN paper. With --cam the activation map of the predicted label covers
each tile, as in figure 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from models.decoding.decode import decode
from models.evaluation.compare import Sample, Setting, compare
from models.names import ModelKind, method_name
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.recognizer import Recognizer, load_recognizer
from models.report import heatmap
from models.report.contact_sheet import Row, Tile, draw, fit_tile, tile_side
from models.rgb import Pixels
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.options import ClassicalMethod, ModelsOptions
from training.data.datasets import load
from training.data.options import DataOptions
from training.loop.distributed import select_device
from training.options import SomeColors

_MAPPED = (16, 4, 2)  # colors of the tiles with activation maps: 4, 2 and 1 bits


class SheetOptions(ModelsOptions):
    """Models and methods of a sheet."""

    classifier: str | None = None
    """Published classifier; the default of the manifest by default."""
    quantizer: str | None = None
    """Published learned quantizer; the default of the manifest by default."""
    methods: tuple[ClassicalMethod, ...] = ("median_cut",)
    """Classical quantizers of the other rows."""


class ContactSheetOptions(SheetOptions):
    """Draw a photo in few colors, a row of tiles for each method."""

    photo: Path
    """Image file: PNG, JPEG, WebP, GIF, BMP, TIFF or BPG."""
    colors: SomeColors = (2, 4, 8)
    """Numbers of colors of the columns."""
    cam: bool = False
    """Draw the activation map of each tile's label over it."""
    out: Path
    """PNG file to write."""


class MapsOptions(SheetOptions, DataOptions):
    """Images of a test set under their activation maps. maps: numbers of the images, from 0."""

    maps: tuple[int, ...] = ()
    """Images of the test set, from 0, to draw under their activation maps."""
    out: Path
    """Folder for the PNG files."""


@dataclass(frozen=True)
class TileMaker:
    """Factory of tiles. side: longer side of a tile in pixels. cam: whether to draw activation maps over the tiles.

    A tile shows the prediction, green where it is the prediction for the original. Where the true class is known, a
    tile shows its probability, green where it is the likeliest class, as figures 1 and 2 of the paper.
    """

    recognizer: Recognizer
    side: int
    cam: bool

    def original(self, sample: Sample, title: str) -> Tile:
        """Return the tile of the original."""
        return self._tile(sample, sample.pixels, title)

    def quantized(self, sample: Sample, quantizer: Quantizer, colors: int) -> Tile:
        """Return the tile of the quantized image, read back from its PNG file."""
        row, measured = compare(sample, Setting(quantizer.name, colors=colors), quantizer, self.recognizer)
        return self._tile(sample, measured.pixels, f"{row.bytes:,} bytes")

    def _tile(self, sample: Sample, pixels: Pixels, title: str) -> Tile:
        ranked = self.recognizer.predict(pixels, len(self.recognizer.classes))
        named, green = ranked[0], ranked[0].index == sample.before.index
        if sample.truth is not None:
            named = next(each for each in ranked if each.index == sample.truth)
            green = named is ranked[0]
            title = title if green else f"{title}, predicted: {ranked[0].label}"
        shown = fit_tile(pixels, self.side)
        if self.cam:
            shown = heatmap.draw(shown, self.recognizer.activation_map(pixels, named.index), self.recognizer.crop)
        return Tile(shown, title, named.label, named.probability, green)


def main(argv: Sequence[str] | None = None) -> Path:
    """Draw the sheet of a command line; return the written file."""
    options = command_line.parse(ContactSheetOptions, "training.report.contact_sheet", argv)
    registry, device = Registry.open(options.models), select_device("auto")
    recognizer, learned = _networks(options, registry, device)
    quantizers = [learned, *(CLASSICAL[name] for name in options.methods)]
    maker = TileMaker(recognizer, tile_side(len(quantizers) * (1 + len(options.colors))), options.cam)
    photo = options.photo.read_bytes()
    pixels = decode(photo).pixels
    sample = Sample("photo", pixels, recognizer.predict(pixels)[0])
    return save(rows(sample, f"{len(photo):,} bytes", quantizers, options.colors, maker), options.colors, options.out)


def rows(
    sample: Sample, title: str, quantizers: Sequence[Quantizer], colors: Sequence[int], maker: TileMaker
) -> list[Row]:
    """Return a row for each quantizer: the original under its title, then one tile for each number of colors."""
    first = maker.original(sample, title)
    return [
        Row(method_name(quantizer.name), [first, *(maker.quantized(sample, quantizer, k) for k in colors)])
        for quantizer in quantizers
    ]


def draw_maps(options: MapsOptions) -> Path:
    """Draw images of a test set in 16, 4 and 2 colors under their activation maps; return the written file.

    Raises SystemExit for a number outside the test set, and DatasetError if there is no test set.
    """
    options = options.located()
    registry, device = Registry.open(options.models), select_device("auto")
    recognizer, learned = _networks(options, registry, device)
    quantizers = [learned, *(CLASSICAL[name] for name in options.methods)]
    tests = load(options.folder, "test", size=recognizer.size)
    tests.require_classes(recognizer.classes)
    if out := [number for number in options.maps if not 0 <= number < len(tests)]:
        raise SystemExit(f"--maps: there is no image {out[0]}; the test set has images 0 to {len(tests) - 1}")
    maker = TileMaker(recognizer, tile_side(len(options.maps) * len(quantizers) * (1 + len(_MAPPED))), cam=True)
    lines: list[Row] = []
    for number in options.maps:
        pixels, truth = tests.images[number].permute(1, 2, 0).numpy(), int(tests.labels[number])
        sample = Sample(f"image {number}", pixels, recognizer.predict(pixels)[0], truth)
        lines += rows(sample, sample.name, quantizers, _MAPPED, maker)
    return save(lines, _MAPPED, options.out / f"{options.dataset}-maps.png")


def _networks(options: SheetOptions, registry: Registry, device: torch.device) -> tuple[Recognizer, LearnedQuantizer]:
    """Load the classifier and the learned quantizer of the options, or the defaults of the manifest."""
    recognizer = load_recognizer(registry, options.classifier or registry.default(ModelKind.CLASSIFIER).name, device)
    return recognizer, load_quantizer(registry, options.quantizer or registry.default(ModelKind.COLORCNN).name, device)


def save(lines: Sequence[Row], colors: Sequence[int], file: Path) -> Path:
    """Draw rows of the original and the given numbers of colors; return the written PNG file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet = draw(["original", *(f"{k} colors" for k in colors)], lines)
    Image.fromarray(sheet).save(file, "PNG", optimize=True)
    return file


if __name__ == "__main__":
    command_line.run(main)
