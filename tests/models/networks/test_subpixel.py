"""models/networks/subpixel.py: corrections that differ within a cell, and are 0 at first."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.classifiers import Classifier, ClassifierConfig, build_classifier
from models.networks.folding import fold_batch_norm
from models.networks.subpixel import SubPixelBranch
from tests.models.small_networks import make_images


def make_encoder(size: int = 32) -> Classifier:
    torch.manual_seed(0)
    return build_classifier(ClassifierConfig(architecture="alexnet", classes=3, size=size, width=4)).eval()


def make_branch() -> SubPixelBranch:
    """Build a branch whose corrections are not 0."""
    branch = SubPixelBranch(make_encoder(), channels=8, outputs=5)
    for parameter in branch.out[2].parameters():
        torch.nn.init.normal_(parameter)
    return branch.eval()


def correct(branch: SubPixelBranch, images: Tensor) -> Tensor:
    corrections: Tensor = branch(images, make_encoder().features(images))
    return corrections


def test_a_new_branch_corrects_nothing() -> None:
    branch = SubPixelBranch(make_encoder(), channels=8, outputs=5).eval()
    assert torch.equal(correct(branch, make_images(2, 32, 32)), torch.zeros(2, 5, 32, 32))


@torch.no_grad()
def test_corrections_are_computed_for_cells_and_differ_within_them() -> None:
    maps = [torch.ones(1, width, side, side) for width, side in ((4, 24), (12, 12), (16, 6))]
    corrections = make_branch()(torch.zeros(1, 3, 96, 96), maps)
    cells = F.pixel_unshuffle(corrections, 4)[:, :, 8:16, 8:16]  # away from the border
    assert cells.std(1).min() > 0.1
    torch.testing.assert_close(cells, cells[:, :, :1, :1].expand_as(cells))


@torch.no_grad()
def test_every_stage_of_the_encoder_counts() -> None:
    branch, images = make_branch(), make_images(1, 32, 32)
    maps = make_encoder().features(images)
    for level in range(len(maps)):
        changed = [stage + 1 if other == level else stage for other, stage in enumerate(maps)]
        assert not torch.allclose(branch(images, changed), branch(images, maps), atol=1e-3)


@torch.no_grad()
def test_folded_batch_norm_changes_no_correction() -> None:
    branch, images = make_branch(), make_images(8, 32, 32)
    for module in branch.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
            torch.nn.init.normal_(module.bias)
    for _ in range(30):
        correct(branch.train(), images)  # otherwise the running statistics are the identity
    before = correct(branch.eval(), images)
    torch.testing.assert_close(correct(fold_batch_norm(branch), images), before, rtol=1e-4, atol=1e-4)


def test_the_size_must_be_a_multiple_of_the_stride() -> None:
    with pytest.raises(ValueError, match="multiple of 4, not 30"):
        SubPixelBranch(make_encoder(30), channels=8, outputs=5)
