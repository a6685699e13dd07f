"""Class activation maps (CAM): Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016."""

import torch
from torch import Tensor

from models.networks.recognition import RecognitionNetwork


def class_activation_maps(network: RecognitionNetwork, images: Tensor, classes: Tensor) -> Tensor:
    """Compute where in each image the classifier finds a class.

    The map of a class is the sum of the last features' channels, weighted as in the linear layer. Pooling is an
    average, so the mean of the map is the logit minus the bias. Imported networks with another head weight the channels
    by gradients. The map is then scaled to a minimum of 0 and a maximum of 1.

    Args:
        network: in eval mode.
        images: (B, 3, H, W) float32 in [0, 1].
        classes: (B,) int64, one class for each image.

    Returns:
        (B, h, w) float32 in [0, 1] at the resolution of the last features; zeros where a map is flat.

    Raises ValueError for a network without maps.
    """
    maps = network.class_maps(images, classes).float()
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low).clamp_min(torch.finfo(maps.dtype).tiny)
