"""Class activation maps (CAM): Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016."""

import torch
from torch import Tensor

from models.networks.classifiers import Classifier


def class_activation_maps(network: Classifier, images: Tensor, classes: Tensor) -> Tensor:
    """Compute where in each image the classifier finds a class.

    The map of a class is the sum of the last stage's channels, weighted as in the linear layer. Pooling is an average,
    so the mean of the map is the logit minus the bias. The map is then scaled to a minimum of 0 and a maximum of 1.

    Args:
        network: in eval mode.
        images: (B, 3, H, W) float32 in [0, 1].
        classes: (B,) int64, one class for each image.

    Returns:
        (B, h, w) float32 in [0, 1] at the resolution of the last stage; zeros where a map is flat.
    """
    maps = torch.einsum("bchw,bc->bhw", network.features(images)[-1], network.head.weight[classes])
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low).clamp_min(torch.finfo(maps.dtype).tiny)
