"""models/networks/cam.py: maps against a plain sum."""

import torch

from models.networks.cam import class_activation_maps
from models.networks.classifiers import ClassifierConfig, build_classifier


def test_a_map_is_the_weighted_sum_of_the_last_stage_scaled_to_one() -> None:
    torch.manual_seed(0)
    network = build_classifier(ClassifierConfig(architecture="resnet9", classes=4, width=4)).eval()
    images, classes = torch.rand(3, 3, 32, 32), torch.tensor([0, 3, 3])
    maps = class_activation_maps(network, images, classes)
    assert maps.shape == (3, 4, 4)
    assert torch.equal(maps.amin((1, 2)), torch.zeros(3)) and torch.equal(maps.amax((1, 2)), torch.ones(3))
    raw = sum(w * channel for w, channel in zip(network.head.weight[3], network.features(images)[-1][1], strict=True))
    assert torch.corrcoef(torch.stack([torch.as_tensor(raw).flatten(), maps[1].flatten()]))[0, 1] > 0.9999


def test_a_flat_map_is_zero() -> None:
    network = build_classifier(ClassifierConfig(architecture="resnet9", classes=4, width=4)).eval()
    torch.nn.init.zeros_(network.head.weight)
    assert torch.equal(
        class_activation_maps(network, torch.rand(1, 3, 32, 32), torch.tensor([1])), torch.zeros(1, 4, 4)
    )
