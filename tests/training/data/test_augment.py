"""training/data/augment.py."""

import pytest
import torch

from training.data import augment


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_images(count: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, 12, 12, generator=generator(9))


def test_flip_mirrors_about_half_of_the_images_and_leaves_the_rest() -> None:
    images = make_images()
    flipped = augment.flip(images, generator())
    same = (flipped == images).flatten(1).all(1)
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    assert bool((same ^ mirrored).all())
    assert 16 < int(mirrored.sum()) < 48  # 64 coins: outside has probability 1e-5, and the seed is fixed


def test_crop_shifts_by_no_more_than_the_padding_and_reflects_at_the_border() -> None:
    images = torch.arange(12.0).expand(200, 1, 12, 12)  # a pixel's value is its column
    cropped = augment.crop(images, 2, generator())
    shifts = (cropped[:, 0, 0, 5] - 5).tolist()
    assert set(shifts) == {-2, -1, 0, 1, 2}
    row = cropped[shifts.index(-2.0), 0, 0].tolist()
    assert row == [2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    row = cropped[shifts.index(2.0), 0, 0].tolist()
    assert row == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 10, 9]


def test_cutout_blanks_one_square() -> None:
    cut = augment.cutout(make_images() + 1, 5, generator())
    assert (cut == 0).sum((1, 2, 3)).tolist() == [3 * 25] * 64
    assert len({tuple(image[0].nonzero()[0].tolist()) for image in (cut == 0)}) > 5


def test_noise_has_another_strength_for_each_image_up_to_the_largest() -> None:
    noisy = augment.add_noise(torch.zeros(500, 3, 16, 16), 0.2, generator())
    deviations = noisy.std((1, 2, 3))
    assert deviations.max() < 0.2 * 1.15 and deviations.mean() == pytest.approx(0.1, rel=0.1)
    assert (deviations < 0.05).float().mean() == pytest.approx(0.25, abs=0.08)
    assert noisy.mean() == pytest.approx(0, abs=2e-3)


def test_equal_seeds_give_equal_batches() -> None:
    images = make_images()
    for change in (
        augment.flip,
        lambda x, g: augment.crop(x, 2, g),
        lambda x, g: augment.cutout(x, 3, g),
        lambda x, g: augment.add_noise(x, 0.1, g),
    ):
        assert torch.equal(change(images, generator(1)), change(images, generator(1)))
        assert not torch.equal(change(images, generator(1)), change(images, generator(2)))
