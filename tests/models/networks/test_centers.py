"""models/networks/centers.py: k-means is exact for separate colors, deterministic, and finite for flat images."""

import pytest
import torch
from torch import Tensor

from models.networks.centers import kmeans_centers


def make_pixels(count: int = 200, seed: int = 0) -> Tensor:
    return torch.rand(2, count, 3, generator=torch.Generator().manual_seed(seed))


def error_of(pixels: Tensor, colors: int) -> Tensor:
    return kmeans_centers(pixels, colors).spread


def test_well_separated_colors_are_exact() -> None:
    expected = torch.tensor([[0.0, 0.1, 0.0], [0.9, 0.1, 0.1], [0.2, 0.8, 1.0], [1.0, 1.0, 0.9]])
    pixels = expected.repeat(25, 1)[torch.randperm(100, generator=torch.Generator().manual_seed(0))].unsqueeze(0)
    centers = kmeans_centers(pixels, 4)
    # Sums of 25 float32 values: exact to a few units of 6e-8.
    torch.testing.assert_close(centers.colors[0], expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(centers.shares[0], torch.full((4,), 0.25), rtol=0, atol=1e-6)


def test_centers_are_sorted_by_brightness_and_lie_among_the_pixels() -> None:
    pixels = make_pixels()
    colors = kmeans_centers(pixels, 7).colors
    luma = colors @ torch.tensor([0.299, 0.587, 0.114])
    assert bool((luma.diff(dim=1) >= 0).all())
    assert bool((colors >= pixels.amin(1, keepdim=True)).all() and (colors <= pixels.amax(1, keepdim=True)).all())


def test_more_centers_fit_better_and_the_order_of_the_pixels_does_not_matter() -> None:
    pixels = make_pixels()
    errors = torch.stack([error_of(pixels, k) for k in (2, 4, 8, 16, 32)])
    assert bool((errors.diff(dim=0) < 0).all())
    shuffled = pixels[:, torch.randperm(200, generator=torch.Generator().manual_seed(3))]
    torch.testing.assert_close(kmeans_centers(shuffled, 4).colors, kmeans_centers(pixels, 4).colors)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_fewer_pixels_than_centers_give_the_pixels_themselves(count: int) -> None:
    pixels = make_pixels(count)
    centers = kmeans_centers(pixels, 6)
    assert centers.colors.shape == (2, 6, 3)
    distances = torch.cdist(pixels, centers.colors).amin(2)
    assert float(distances.max()) < 1e-3  # cdist in float32 leaves about 3e-4 of two equal colors


def test_an_image_of_one_color_has_finite_centers() -> None:
    centers = kmeans_centers(torch.full((1, 10, 3), 0.5), 3)
    assert bool(centers.colors.isfinite().all()) and float(centers.spread) > 0
    torch.testing.assert_close(centers.colors, torch.full((1, 3, 3), 0.5))
