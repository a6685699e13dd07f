"""models/quantizers/learned/random_views.py: regions near a classifier's own, scaled with a gradient."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from models.quantizers.learned.random_views import Region, enclosing, random_region
from models.rgb import ViewGeometry

CROPPED = ViewGeometry(size=16, crop=0.875, interpolation="bicubic")
SQUEEZED = ViewGeometry(size=16, crop=None, interpolation="bilinear")


@pytest.mark.parametrize("geometry", [CROPPED, SQUEEZED])
@pytest.mark.parametrize("height, width", [(64, 64), (40, 90), (1, 1), (2, 300)])
def test_regions_lie_in_the_image_and_vary(geometry: ViewGeometry, height: int, width: int) -> None:
    random = np.random.default_rng(0)
    regions = [random_region(geometry, height, width, random) for _ in range(50)]
    for region in regions:
        assert 0 <= region.top <= region.top + region.height <= height
        assert 0 <= region.left <= region.left + region.width <= width
        assert min(region.height, region.width) >= 1
    assert len(set(regions)) > 5 or min(height, width) < 3


def test_a_region_is_near_the_one_that_the_classifier_sees() -> None:
    random = np.random.default_rng(0)
    left, _, right, _ = CROPPED.box(200, 300)
    regions = [random_region(CROPPED, 200, 300, random) for _ in range(200)]
    for region in regions:
        assert 0.85 * (right - left) - 1 <= region.width <= 1.1 * (right - left) + 1
    assert np.mean([region.top + region.height / 2 for region in regions]) == pytest.approx(100, abs=3)
    assert np.mean([region.left + region.width / 2 for region in regions]) == pytest.approx(150, abs=6)


@pytest.mark.parametrize("geometry", [CROPPED, SQUEEZED])
def test_the_view_of_the_classifiers_own_region_is_its_view(geometry: ViewGeometry) -> None:
    """torch and Pillow differ by rounding only."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(noise).resize((64, 64), Image.Resampling.BICUBIC))
    left, top, right, bottom = (round(edge) for edge in geometry.box(64, 64))
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
    own = geometry.view(pixels[top:bottom, left:right] if geometry.crop is None else pixels).astype(np.float32)
    view = Region(top, left, bottom - top, right - left).view(image, geometry)[0].permute(1, 2, 0).numpy()
    assert np.abs(view - own)[2:-2, 2:-2].max() <= 1.5


def test_the_gradient_reaches_every_pixel_of_the_region_and_no_other() -> None:
    image = torch.rand(1, 3, 40, 40, requires_grad=True)
    Region(8, 4, 24, 30).view(image, CROPPED).sum().backward()
    assert image.grad is not None
    reached = image.grad.abs().sum(1)[0] > 0
    assert reached[8:32, 4:34].all()
    assert reached.sum() == 24 * 30


@pytest.mark.parametrize("geometry", [CROPPED, SQUEEZED])
@pytest.mark.parametrize("region", [Region(8, 4, 24, 30), Region(0, 0, 9, 40), Region(39, 1, 1, 2)])
def test_the_slope_is_the_gradient_of_the_view(geometry: ViewGeometry, region: Region) -> None:
    image = torch.rand(1, 3, 40, 40, requires_grad=True)
    gradient = torch.rand(3, 16, 16)
    region.view(image, geometry).backward(gradient[None])
    assert image.grad is not None
    slope = region.padded(region.slope(gradient, geometry), 40, 40)
    torch.testing.assert_close(slope, image.grad[0], atol=1e-5, rtol=1e-4)  # sums in another order


@pytest.mark.parametrize("cell", [1, 3, 4])
def test_the_mean_slope_is_that_of_each_cell(cell: int) -> None:
    """40 is no multiple of 3, and the region starts and ends within cells."""
    region, gradient = Region(9, 5, 23, 30), torch.rand(3, 16, 16)
    slope = region.padded(region.slope(gradient, CROPPED), 40, 45)
    expected = F.avg_pool2d(slope, cell, ceil_mode=True, count_include_pad=False)
    torch.testing.assert_close(region.mean_slope(gradient, CROPPED, cell, 40, 45), expected, atol=1e-5, rtol=1e-4)


def test_a_view_in_8_bits_is_the_rounded_view() -> None:
    """The passes of the filter along rows and along columns are rounded each; no value of this image is clipped."""
    pixels = np.random.default_rng(0).integers(100, 156, (40, 50, 3), dtype=np.uint8)
    pixels.setflags(write=False)
    region = Region(8, 4, 24, 30)
    exact = region.view(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float(), CROPPED)
    view = region.view_of(pixels, CROPPED)
    assert view.dtype == torch.uint8
    assert (view.float() - exact).abs().max() <= 1.5


def test_a_region_grows_within_the_image_and_is_found_in_another() -> None:
    region = Region(3, 10, 20, 6)
    grown = region.grown(5, 30, 40)
    assert grown == Region(0, 5, 28, 16)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    assert np.array_equal(region.within(grown).of(grown.of(pixels)), region.of(pixels))
    assert region.grown(99, 30, 40) == Region(0, 0, 30, 40)


def test_the_enclosing_region_holds_each_one() -> None:
    assert enclosing([Region(3, 10, 20, 6), Region(1, 12, 5, 9)]) == Region(1, 10, 22, 11)
    assert enclosing([Region(3, 10, 20, 6)]) == Region(3, 10, 20, 6)
