"""Top-1 accuracy on the held-out part of train, for a classifier and for quantized images."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from models.networks.classifiers import Classifier
from models.networks.palette import HardResult, render_hard
from models.zoo.registry import Registry
from training.data.datasets import LabeledImages
from training.loop.fit import Session


def frozen_classifier(registry: Registry, name: str) -> Classifier:
    """Return a published classifier, on the CPU, in eval mode; SystemExit for another kind of model."""
    network = registry.load(name, torch.device("cpu"))
    if not isinstance(network, Classifier):
        raise SystemExit(f"{name} is not a classifier")
    return network.requires_grad_(False)


@torch.inference_mode()
def score(
    quantize: Callable[[Tensor, int], HardResult],
    classifier: Classifier,
    data: LabeledImages,
    colors: Sequence[int],
    session: Session,
    *,
    batch: int = 250,
) -> dict[str, float]:
    """Return top-1 in [0, 1] of the classifier on quantized images, as "held_out_top1_K" for each K.

    quantize: maps (B, 3, s, s) float32 in [0, 1] and K to palettes and indices; its network must be in eval mode.
    """
    right = dict.fromkeys(colors, 0)
    for pixels, labels in zip(data.images.split(batch), data.labels.split(batch), strict=True):
        images = pixels.float().div(255)
        for k in colors:
            with session.autocast():
                indices, palette, _ = quantize(images, k)
                logits = classifier(render_hard(palette, indices))
            right[k] += int((logits.argmax(1) == labels).sum())
    return {f"held_out_top1_{k}": count / len(data) for k, count in right.items()}


@torch.inference_mode()
def evaluate(network: nn.Module, data: LabeledImages, *, batch: int = 500) -> float:
    """Return top-1 accuracy in [0, 1], computed in float32 without augmentation."""
    network.eval()
    right = [
        (network(images.float().div(255)).argmax(1) == labels).sum()
        for images, labels in zip(data.images.split(batch), data.labels.split(batch), strict=True)
    ]
    return float(torch.stack(right).sum()) / len(data)
