"""training/evaluate.py: rows come from PNG bytes, for every method and every K."""

import numpy as np
import torch

from models.codecs import png
from models.palette_image import PaletteImage
from models.pixels import decode
from models.quantizers.classical import CLASSICAL
from models.recognizer import load_recognizer
from models.registry import Registry
from tests.training.conftest import Workshop
from training.datasets import load
from training.evaluate import round_trip


def test_every_method_has_a_row_at_every_k(workshop: Workshop) -> None:
    rows = workshop.report["rows"]
    assert len(rows) == 6 * (1 + len(CLASSICAL))
    assert {row["method"] for row in rows} == {"colorcnn", *CLASSICAL}
    assert workshop.report["images"] == 200


def test_the_learned_quantizer_shows_at_two_colours_what_median_cut_hides(workshop: Workshop) -> None:
    top1 = {(row["method"], row["colors"]): row["top1"] for row in workshop.report["rows"]}
    assert top1["colorcnn", 2] > top1["median_cut", 2] + 0.3
    assert workshop.report["top1_original"] > 0.9


def test_a_row_is_what_one_gets_image_by_image(workshop: Workshop) -> None:
    data = load(workshop.data, "test", size=16)
    recognizer = load_recognizer(Registry.open(workshop.models), "stripes", torch.device("cpu"))
    right, sizes = [], []
    for image, label in zip(data.images, data.labels.tolist(), strict=True):
        file = png.encode(CLASSICAL["median_cut"].quantize(image.permute(1, 2, 0).numpy(), 4))
        sizes.append(len(file))
        right.append(recognizer.predict(decode(file).pixels)[0].index == label)
    row = next(r for r in workshop.report["rows"] if (r["method"], r["colors"]) == ("median_cut", 4))
    assert row["top1"] == np.mean(right)
    assert row["bytes"] == np.mean(sizes)
    assert row["bits_per_pixel"] == 8 * np.mean(sizes) / 256


def test_a_round_trip_returns_the_painted_pixels_and_the_size_of_the_files() -> None:
    indices = np.random.default_rng(0).integers(0, 3, (5, 7), dtype=np.uint8)
    image = PaletteImage(indices, np.array([[0, 1, 2], [90, 91, 92], [250, 5, 100]], np.uint8))
    pixels, sizes = round_trip([image, image])
    assert np.array_equal(pixels[1], image.render())
    assert sizes.tolist() == [len(png.encode(image))] * 2
