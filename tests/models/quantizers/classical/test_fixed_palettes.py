"""models/quantizers/classical: the quantizers that map to a fixed palette."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import BadOption, UnknownMethod
from models.palettes import parse_palette
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL, classical_for
from models.quantizers.classical.halftone import Halftone
from models.quantizers.classical.nearest_color import NearestColor
from models.rgb import Pixels, pack

CAT = Path(__file__).parents[3] / "photos" / "cat.jpg"
# Some entries are far from every color of the photograph, so they stay unused.
PALETTE = parse_palette("#00f,#fff,#0f0,#000,#805030")
BW = parse_palette("bw")

both = pytest.mark.parametrize("quantizer", [Halftone(PALETTE), NearestColor(PALETTE)], ids=["halftone", "nearest"])


@pytest.fixture(scope="module")
def cat() -> Pixels:
    with Image.open(CAT) as photo:
        return np.asarray(photo.convert("RGB"))


@both
def test_all_entries_stay_in_their_order(quantizer: Quantizer, cat: Pixels) -> None:
    image = quantizer.quantize(cat, 5)
    assert np.array_equal(image.palette, PALETTE)
    assert image.indices.shape == cat.shape[:2]
    assert (image.counts()[[1, 3, 4]] > 0).all()


@both
def test_an_image_of_colors_of_the_palette_stays_as_it_is(quantizer: Quantizer) -> None:
    indices = np.random.default_rng(0).integers(0, 5, (40, 50), dtype=np.uint8)
    image = quantizer.quantize(PALETTE[indices], 5)
    assert np.array_equal(image.indices, indices)
    assert np.array_equal(image.palette, PALETTE)


@both
def test_another_number_of_colors_is_refused(quantizer: Quantizer, cat: Pixels) -> None:
    with pytest.raises(BadOption, match="colors must be 5, not 4"):
        quantizer.quantize(cat, 4)


def test_nearest_color_gives_each_pixel_the_nearest_entry(cat: Pixels) -> None:
    small = cat[:40, :50]
    distances = np.square(small[:, :, np.newaxis].astype(int) - PALETTE).sum(-1)
    assert np.array_equal(NearestColor(PALETTE).quantize(small, 5).indices, distances.argmin(-1))


def test_halftone_keeps_the_means_of_grays() -> None:
    """Error diffusion mixes black and white to each gray, which the nearest entry cannot."""
    gray = np.full((64, 64, 3), 100, np.uint8)
    halftone, nearest = (each.quantize(gray, 2).render().mean() for each in (Halftone(BW), NearestColor(BW)))
    assert halftone == pytest.approx(100, abs=2)
    assert nearest == 0


def test_the_catalog_finds_quantizers_with_and_without_a_palette() -> None:
    assert classical_for("wu") is CLASSICAL["wu"]
    for name in ("halftone", "nearest"):
        quantizer = classical_for(name, BW)
        assert quantizer.name == name
        assert len(np.unique(pack(quantizer.quantize(np.full((9, 9, 3), 60, np.uint8), 2).render()))) <= 2


@pytest.mark.parametrize(
    ("method", "palette", "error", "text"),
    [
        ("nearest", None, BadOption, "needs a palette"),
        ("kmeans", BW, BadOption, "supports no palette; use one of halftone, nearest"),
        ("refined", None, UnknownMethod, "'refined'"),
        ("refined", BW, UnknownMethod, "'refined'"),
    ],
)
def test_errors_of_the_catalog(method: str, palette: Pixels | None, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        classical_for(method, palette)
