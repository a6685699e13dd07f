"""models/networks/folding.py: folding changes no output."""

import pytest
import torch

from models.networks.classifiers import ClassifierConfig, build_classifier
from models.networks.folding import fold_batch_norm


@pytest.mark.parametrize("architecture", ["resnet9", "resnet18"])
def test_a_folded_network_computes_the_same_without_batch_norm(architecture: str) -> None:
    torch.manual_seed(0)
    network = build_classifier(ClassifierConfig.from_json({"architecture": architecture, "classes": 4, "width": 8}))
    images = torch.rand(4, 3, 32, 32)
    network(images)  # otherwise the running statistics are the identity
    before = network.eval()(images)
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(images), before, rtol=1e-4, atol=1e-5)  # other order of float32 roundings


@pytest.mark.parametrize(
    "layers",
    [
        [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.BatchNorm2d(4)],
        [torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 4, 3)],
        [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()],
    ],
    ids=["not adjacent", "norm first", "no norm"],
)
def test_only_a_convolution_directly_before_batch_norm_is_folded(layers: list[torch.nn.Module]) -> None:
    """Any other pair is another function, or none that can be folded."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(*layers)
    images = torch.rand(2, 3, 8, 8)
    network(images)  # otherwise the running statistics are the identity
    before = network.eval()(images)
    folded = fold_batch_norm(network)
    assert [type(layer) for layer in folded] == [type(layer) for layer in layers]
    torch.testing.assert_close(folded(images), before, rtol=0, atol=0)


def test_a_network_in_training_mode_is_rejected() -> None:
    network = build_classifier(ClassifierConfig(architecture="resnet9", classes=4, width=4))
    with pytest.raises(ValueError, match=r"eval\(\)"):
        fold_batch_norm(network.train())
