"""The change of a photograph that a prefilter predicts, for pictures of any size."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import UnknownModel
from models.networks.folding import fold_batch_norm
from models.networks.precision import has_bfloat16
from models.networks.prefilter import Prefilter
from models.quantizers.learned.mapping import Diffusion, Mapping
from models.rgb import Pixels, resize_to
from models.zoo.registry import Registry

_MOST_PIXELS = 1 << 19  # that the network sees; a picture of eight times its height keeps its ends as they are


def load_prefilter(registry: Registry, name: str, device: torch.device) -> Prefilter:
    """Load the prefilter of that name, in eval mode on `device`.

    Raises UnknownModel, also for a model of another kind, or CorruptCheckpoint.
    """
    network = registry.load(name, device)
    if not isinstance(network, Prefilter):
        raise UnknownModel(f"{name!r} is a {registry.entry(name).kind}, not a prefilter")
    return fold_batch_norm(network)


@torch.no_grad()
def predict_change(
    network: Prefilter, working: Pixels, mapping: Mapping, colors: int, *, scale: float
) -> NDArray[np.float32]:
    """Predict the change of a picture after which classifiers recognize it in few colors.

    Args:
        network: in eval mode.
        working: (H, W, 3) uint8 sRGB, the picture at the scale that it is mapped at here.
        mapping: maps it to its palette.
        colors: K, the number of colors that was asked for.
        scale: pixels of `working` that become one of the classifier's input, along a side. The network sees a picture
            at the scale of the classifier's input, and a smaller one as it is.

    Returns:
        The change at the scale that the network sees, (h, w, 3) float32 in levels of 255.
    """
    shrink = max(1.0, scale)
    height, width = (max(1, round(side / shrink)) for side in working.shape[:2])
    images, mapped = (resize_to(each, height, width) for each in (working, mapping.map(working).render()))
    change = np.zeros(images.shape, np.float32)
    middle = _middle(height, width)
    change[middle] = _change(network, images[middle], mapped[middle], colors, diffused=isinstance(mapping, Diffusion))
    return change


def _middle(height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and the columns in the middle of a picture that the network sees: all but those of a long one."""
    most = max(1, _MOST_PIXELS // min(height, width))
    top, left = (max(0, side - most) // 2 for side in (height, width))
    return slice(top, top + most), slice(left, left + most)


def _change(network: Prefilter, images: Pixels, mapped: Pixels, colors: int, *, diffused: bool) -> NDArray[np.float32]:
    device = network.encoder.mean.device
    conditions = torch.tensor([colors], device=device), torch.tensor([float(diffused)], device=device)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bfloat16(device)):
        change = network(_tensor(images, device), _tensor(mapped, device), *conditions)
    return np.asarray(change[0].permute(1, 2, 0).mul(255).cpu().numpy())


def _tensor(pixels: Pixels, device: torch.device) -> Tensor:
    planes = torch.from_numpy(pixels.copy()).to(device).permute(2, 0, 1)[None].float().div(255)
    return planes.contiguous(memory_format=torch.channels_last)
