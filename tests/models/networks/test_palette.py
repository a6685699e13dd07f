"""models/networks/palette.py: equations 1 and 2, and the hard palette, against plain loops."""

import pytest
import torch
from torch import Tensor

from models.networks.palette import hard_palette, render_hard, render_soft, soft_palette


def random_map(batch: int, colors: int, height: int, width: int) -> Tensor:
    return torch.randn(batch, colors, height, width, generator=torch.Generator().manual_seed(1)).softmax(1)


def random_images(batch: int, height: int, width: int) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(2))


def test_soft_palette_is_the_weighted_mean_of_the_pixels() -> None:
    images, weights = random_images(2, 5, 7), random_map(2, 4, 5, 7)
    palette = soft_palette(images, weights)
    for b in range(2):
        for k in range(4):
            expected = (images[b] * weights[b, k]).sum((1, 2)) / weights[b, k].sum()
            torch.testing.assert_close(palette[b, k], expected)


def test_a_soft_image_mixes_the_palette() -> None:
    palette, weights = torch.rand(2, 4, 3), random_map(2, 4, 5, 7)
    expected = sum(palette[:, k, :, None, None] * weights[:, k, None] for k in range(4))
    torch.testing.assert_close(render_soft(palette, weights), expected)


def test_an_entry_without_probability_has_a_finite_value_and_gradient() -> None:
    images = random_images(1, 4, 4)
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 1] = -1e4  # underflows to a probability of exactly 0
    logits.requires_grad_()
    weights = logits.softmax(1)
    palette = soft_palette(images, weights)
    (gradient,) = torch.autograd.grad(render_soft(palette, weights).sum(), logits)
    assert torch.equal(palette[0, 1], torch.zeros(3))
    assert gradient.isfinite().all()


def test_both_are_float32_under_autocast() -> None:
    images, weights = random_images(1, 64, 64), random_map(1, 2, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        palette = soft_palette(images, weights)
        image = render_soft(palette, weights)
    # To the bit: bfloat16 sums would be off by 1e-3.
    assert torch.equal(palette, soft_palette(images, weights))
    assert torch.equal(image, render_soft(palette, weights))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_hard_palette_is_the_mean_of_the_pixels_of_each_index(dtype: torch.dtype) -> None:
    images = random_images(3, 6, 5)
    indices = torch.randint(0, 4, (3, 6, 5), generator=torch.Generator().manual_seed(3)).to(dtype)
    palette, counts = hard_palette(images, indices, 5)
    for b in range(3):
        for k in range(4):
            mine = images[b, :, indices[b] == k]
            torch.testing.assert_close(palette[b, k], mine.mean(1))
            assert counts[b, k] == mine.shape[1]
    assert torch.equal(counts[:, 4], torch.zeros(3, dtype=torch.int64))
    assert torch.equal(palette[:, 4], torch.zeros(3, 3))


def test_hard_palette_does_not_drift_on_large_images() -> None:
    # A running float32 sum of 0.1 is off by 1e-3 after two million pixels; one 8-bit step is 4e-3.
    images = torch.full((1, 3, 1024, 2048), 0.1)
    palette, _ = hard_palette(images, torch.zeros(1, 1024, 2048, dtype=torch.uint8), 2)
    torch.testing.assert_close(palette[0, 0], torch.full((3,), 0.1), rtol=0, atol=1e-7)


def test_shapes_that_do_not_fit_are_rejected() -> None:
    with pytest.raises(ValueError, match="differ in B, H or W"):
        soft_palette(torch.rand(1, 3, 4, 4), torch.rand(1, 2, 4, 5))
    with pytest.raises(ValueError, match="differ in B, H or W"):
        hard_palette(torch.rand(2, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.int64), 2)
    with pytest.raises(ValueError, match="differ in B or K"):
        render_soft(torch.rand(1, 3, 3), torch.rand(1, 2, 4, 4))


def test_a_hard_image_has_its_palette_in_8_bits() -> None:
    indices = torch.tensor([[[0, 1], [1, 0]]])
    palette = torch.tensor([[[0.1001, 0.5, 1.0], [0.0, 0.25, 0.9999]]])
    image = render_hard(palette, indices)
    assert torch.equal(image[0, :, 0, 1], torch.tensor([0.0, 64.0, 255.0]) / 255)
    assert torch.equal(image.mul(255), image.mul(255).round())
