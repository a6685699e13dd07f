"""training/evaluate/attacked_paths.py: what the classifier sees, and what stands in for it in the backward pass."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.zoo.registry import Registry
from tests.training.workshop import Workshop
from training.data.datasets import load
from training.evaluate.attack import Path
from training.evaluate.attacked_paths import BitDepth, Classical, Learned, Plain, soft_nearest


@pytest.fixture(scope="module")
def images(workshop: Workshop) -> Tensor:
    return load(workshop.data, "test", size=16).images[:11]


@pytest.fixture(scope="module")
def learned(workshop: Workshop) -> LearnedQuantizer:
    """A quantizer with a search."""
    quantizer = load_quantizer(Registry.open(workshop.models), "stripes-q", torch.device("cpu"))
    network = quantizer.network.requires_grad_(False)
    network.config = replace(network.config, structure_scales=(0.0, 0.5, 2.0))
    return quantizer


@pytest.fixture(scope="module")
def paths(learned: LearnedQuantizer) -> dict[str, Path]:
    one_pass = replace(learned, search=False)
    return {
        "plain": Plain(),
        "bits": BitDepth(2),
        "kmeans": Classical(CLASSICAL["kmeans"], 4, map),
        "halftone": Classical(CLASSICAL["halftone"], 4, map),
        "one_pass": Learned(one_pass, 4),
        "search": Learned(learned, 4),
    }


PATHS = ("plain", "bits", "kmeans", "halftone", "one_pass", "search")


def test_fewer_bits_leave_equidistant_levels() -> None:
    values = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert BitDepth(1).seen(values).unique().tolist() == [0, 255]
    assert BitDepth(2).seen(values).unique().tolist() == [0, 85, 170, 255]
    assert torch.equal(BitDepth(8).seen(values), values)
    assert (BitDepth(3).seen(values).short() - values.short()).abs().max() <= 18  # half of 255 / 7


@pytest.mark.parametrize("method", ["kmeans", "halftone"])
def test_a_classical_path_shows_what_its_quantizer_renders(images: Tensor, method: str) -> None:
    seen = Classical(CLASSICAL[method], 4, map).seen(images)
    pixels = images.permute(0, 2, 3, 1).numpy()
    expected = np.stack([CLASSICAL[method].quantize(image, 4).render() for image in pixels])
    assert np.array_equal(seen.permute(0, 2, 3, 1).numpy(), expected)


def test_a_learned_path_shows_what_its_quantizer_renders(learned: LearnedQuantizer, images: Tensor) -> None:
    quantized = learned.quantize_batch(images.permute(0, 2, 3, 1).numpy(), 4)
    expected = np.stack([each.render() for each in quantized])
    assert np.array_equal(Learned(learned, 4).seen(images).permute(0, 2, 3, 1).numpy(), expected)


@pytest.mark.parametrize("name", PATHS)
def test_the_stand_in_resembles_what_is_seen(paths: dict[str, Path], images: Tensor, name: str) -> None:
    points, seen = images.float().div(255), paths[name].seen(images)
    soft = paths[name].soft(points, seen)
    assert soft.shape == points.shape and soft.min() >= 0 and soft.max() <= 1
    # Error diffusion moves single pixels by any distance, which the stand-in does not imitate.
    close = 0.2 if name == "halftone" else 0.1
    assert (soft - seen.float() / 255).abs().mean() < close


@pytest.mark.parametrize("name", PATHS)
def test_the_stand_in_has_a_gradient_at_every_image(paths: dict[str, Path], images: Tensor, name: str) -> None:
    points = images.float().div(255).requires_grad_()
    weights = torch.rand(points.shape, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((paths[name].soft(points, paths[name].seen(images)) * weights).sum(), points)
    assert gradient.isfinite().all() and (gradient.abs().amax((1, 2, 3)) > 0).all()


def test_the_gradient_of_a_learned_path_passes_the_encoder(
    learned: LearnedQuantizer, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    points, path = images.float().div(255).requires_grad_(), Learned(replace(learned, search=False), 2)

    def gradient() -> Tensor:
        return torch.autograd.grad(path.soft(points, images).square().sum(), points)[0]

    whole, features = gradient(), learned.network.encoder.features
    monkeypatch.setattr(learned.network.encoder, "features", lambda view: [each.detach() for each in features(view)])
    assert not torch.allclose(whole, gradient())


def test_the_stand_in_of_a_search_has_the_selected_scale(learned: LearnedQuantizer, images: Tensor) -> None:
    points = images.float().div(255)
    only = replace(learned, network=learned.network)
    fixed = [Learned(replace(only, search=False), 4).soft(points, images)]
    searched = Learned(learned, 4).soft(points, images)
    assert not torch.allclose(searched, fixed[0])  # no scale is 1


def test_a_soft_mixture_is_exact_at_few_colors_and_weighs_by_distance() -> None:
    entries = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]])
    assert torch.allclose(soft_nearest(entries, entries), entries)
    points = torch.tensor([[[0.5, 0.5, 0.5], [0.4, 0.4, 0.4]]])
    middle, darker = soft_nearest(points, entries)[0]
    assert torch.allclose(middle, torch.tensor(0.5)) and darker.max() < 0.4


def test_images_with_different_numbers_of_colors_share_a_batch() -> None:
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[1, :, 0], images[1, :, 1] = 100, 200
    path = Classical(CLASSICAL["kmeans"], 4, map)
    assert torch.allclose(path.soft(images / 255, path.seen(images)), images / 255, atol=1e-6)
