"""training/importing/checks.py: where activation maps come from, verified on images."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.networks.program import Maps
from tests.training.importing.exported import CLASSES, SIZE, exported, make_classifier
from training.importing.checks import check, find_maps
from training.importing.pt2 import read_pt2
from training.importing.simplify import build, plain_config


def maps_of(model: nn.Module) -> Maps | None:
    graph = read_pt2(exported(model))
    return find_maps(graph, plain_config(graph, SIZE, CLASSES))


def test_a_linear_head_on_pooled_features_gives_exact_maps() -> None:
    maps = maps_of(make_classifier())
    assert maps is not None and (maps.channels, maps.head) == (1, "fc.weight")


def twice(head: Any, x: Tensor) -> Tensor:
    logits: Tensor = torch.relu(head(x)) @ head.weight[:, :3].T
    return logits


def test_another_head_gives_maps_by_gradients() -> None:
    maps = maps_of(make_classifier(twice))
    assert maps is not None and maps.head is None


class _Pooled(nn.Module):
    """Classifier with another pooling: of channels last, by a layer, or of one cell."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.kind = kind
        self.conv = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.kind == "last":
            x = x.permute(0, 2, 3, 1).mean((1, 2))
        elif self.kind == "layer":
            x = nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
        elif self.kind == "cell":
            x = nn.functional.avg_pool2d(x, 4).mean((2, 3))
        elif self.kind == "tokens":
            x = x.flatten(2).mean(2)
        logits: Tensor = self.fc(x)
        return logits


@pytest.mark.parametrize(("kind", "channels"), [("last", 3), ("layer", 1), ("cell", 1)])
def test_every_pooling_of_height_and_width_is_found(kind: str, channels: int) -> None:
    maps = maps_of(_Pooled(kind))
    assert maps is not None and (maps.channels, maps.head) == (channels, "fc.weight")


def test_tokens_have_no_maps() -> None:
    """As in a vision transformer: the result that is pooled has no height and width."""
    assert maps_of(_Pooled("tokens")) is None


def test_a_sound_classifier_passes_with_its_number_of_logits() -> None:
    graph = read_pt2(exported(make_classifier()))
    measured = check(build(graph, plain_config(graph, SIZE)))
    assert measured.logits == CLASSES and measured.milliseconds > 0
