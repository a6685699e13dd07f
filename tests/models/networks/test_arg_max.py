"""models/networks/arg_max.py: the results of torch.argmax, ties included."""

import pytest
import torch
from torch import Tensor

from models.networks import arg_max
from models.networks.arg_max import arg_max_affine, arg_max_planes


def whole_numbers(*shape: int) -> Tensor:
    """Return few different values, so that there are ties and no rounding."""
    return torch.randint(-3, 4, shape, generator=torch.Generator().manual_seed(0)).float()


@pytest.mark.parametrize("colors", [1, 2, 9, 256])
def test_ties_between_planes_go_to_the_first(colors: int) -> None:
    logits = whole_numbers(3, colors, 4, 50)
    indices = arg_max_planes(logits)
    assert indices.dtype == torch.uint8
    assert torch.equal(indices, logits.argmax(1).to(torch.uint8))


@pytest.mark.parametrize("size", [1, 1000, 1 << 18])
@pytest.mark.parametrize("colors", [2, 9, 256])
def test_ties_between_products_go_to_the_first(colors: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arg_max, "chunk_size", lambda device: size)
    vectors, weights, offsets = whole_numbers(2, 77, 3), whole_numbers(2, colors, 3), whole_numbers(2, colors, 1)
    logits = torch.einsum("bnc,bkc->bkn", vectors, weights) + offsets
    assert torch.equal(arg_max_affine(vectors, weights, offsets), logits.argmax(1).to(torch.uint8))


@pytest.mark.gpu
@pytest.mark.parametrize("colors", [2, 256])
def test_cuda_gives_the_same_indices(colors: int) -> None:
    vectors, weights, offsets = whole_numbers(2, 77, 3), whole_numbers(2, colors, 3), whole_numbers(2, colors, 1)
    indices = arg_max_affine(vectors.cuda(), weights.cuda(), offsets.cuda())
    assert torch.equal(indices.cpu(), arg_max_affine(vectors, weights, offsets))
