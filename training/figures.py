"""The contact sheet: one photo in few colours, a row for each method, with what the classifier sees in each tile.

    python -m training.figures --photo tests/photos/cat.jpg --out results/cat.png

As figure 2 of the ColorCNN paper: the label is green where the classifier keeps its answer to the original, else red.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.codecs import png
from models.pixels import decode
from models.quantizers.base import Quantizer
from models.quantizers.classical import CLASSICAL
from models.quantizers.learned import load_quantizer
from models.recognizer import Prediction, Recognizer, load_recognizer
from models.registry import Registry
from training import run

_GAP, _CAPTION = 8, 44  # pixels
_TEXT = 16  # pixels
_BLACK, _GREEN, _RED = "#202020", "#0a7d26", "#b3201b"


@dataclass(frozen=True)
class Tile:
    """pixels: (H, W, 3) uint8 sRGB. title: what they are. seen: what the classifier sees. kept: as in the original."""

    pixels: NDArray[np.uint8]
    title: str
    seen: Prediction
    kept: bool


def main(argv: Sequence[str] | None = None) -> Path:
    """Parse flags and draw; returns the file written."""
    args = _parser().parse_args(argv)
    registry, device = Registry.open(args.models), run.choose_device("auto")
    recognizer = load_recognizer(registry, args.classifier or registry.default("classifier").name, device)
    learned = load_quantizer(registry, args.quantizer or registry.default("colorcnn").name, device)
    methods: dict[str, Quantizer] = {"ColorCNN": learned}
    methods |= {name.replace("_", " "): CLASSICAL[name] for name in args.methods}
    photo = args.photo.read_bytes()
    rows = tiles(decode(photo).pixels, len(photo), methods, args.colors, recognizer)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet(rows).save(args.out, optimize=True)
    return Path(args.out)


def tiles(
    original: NDArray[np.uint8],
    file_size: int,
    methods: Mapping[str, Quantizer],
    colors: Sequence[int],
    recognizer: Recognizer,
) -> list[list[Tile]]:
    """A row for each method: the original, then the PNG file with each number of colours, read back."""
    before = recognizer.predict(original)[0]
    first = Tile(original, f"original, {file_size:,} bytes", before, True)
    rows = []
    for name, quantizer in methods.items():
        row = [first]
        for k in colors:
            file = png.encode(quantizer.quantize(original, k), effort="max")
            pixels = decode(file).pixels
            after = recognizer.predict(pixels)[0]
            row.append(Tile(pixels, f"{name}, {k} colours, {len(file):,} bytes", after, after.label == before.label))
        rows.append(row)
    return rows


def sheet(rows: Sequence[Sequence[Tile]]) -> Image.Image:
    """Draw rows of tiles of one size, each over its two lines of text; RGB on white."""
    height, width = rows[0][0].pixels.shape[:2]
    size = (len(rows[0]) * (width + _GAP) + _GAP, len(rows) * (height + _CAPTION + _GAP) + _GAP)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(_TEXT)
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            left, top = _GAP + x * (width + _GAP), _GAP + y * (height + _CAPTION + _GAP)
            image.paste(Image.fromarray(tile.pixels), (left, top))
            draw.text((left, top + height + 3), tile.title, _BLACK, font)
            text = f"{tile.seen.label}, {100 * tile.seen.probability:.0f} %"
            draw.text((left, top + height + 22), text, _GREEN if tile.kept else _RED, font)
    return image


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.figures", description="Draw a photo in few colours, a row of tiles for each method."
    )
    run.add_models_flag(parser)
    parser.add_argument("--photo", type=Path, required=True, help="image file: PNG, JPEG, WebP, GIF, BMP or TIFF")
    parser.add_argument("--classifier", help="published classifier that looks at the tiles (default: the manifest's)")
    parser.add_argument("--quantizer", help="published learned quantizer (default: the manifest's)")
    parser.add_argument(
        "--methods", nargs="*", choices=sorted(CLASSICAL), default=["median_cut"], help="other rows (median_cut)"
    )
    parser.add_argument("--colors", type=int, nargs="+", default=[2, 4, 8], help="columns (2 4 8)")
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    return parser


if __name__ == "__main__":
    run.command(main)
