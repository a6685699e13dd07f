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


def test_a_network_in_training_mode_is_rejected() -> None:
    network = build_classifier(ClassifierConfig(architecture="resnet9", classes=4, width=4))
    with pytest.raises(ValueError, match=r"eval\(\)"):
        fold_batch_norm(network.train())
