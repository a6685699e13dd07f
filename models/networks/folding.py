"""Batch normalization folded into the convolution before it: the same function of the images in fewer passes."""

from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norm(network: Network) -> Network:
    """Fold every BatchNorm2d into the Conv2d before it in the same nn.Sequential; in place, for inference only.

    Load weights first: folding changes the names in the state dict. Raises ValueError for a network in training mode,
    whose batch norm is not a constant affine map.
    """
    if network.training:
        raise ValueError("folding needs the running statistics: call eval() first")
    for block in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for (name, conv), (norm_name, norm) in list(pairwise(block.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(block, name, fuse_conv_bn_eval(conv, norm))
                setattr(block, norm_name, nn.Identity())
    return network
