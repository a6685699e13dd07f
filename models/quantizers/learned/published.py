"""ColorCNN as published, behind the interface that all quantizers share."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from models.errors import BadOption, ImageTooLarge, NotFinite, UnknownModel
from models.names import PUBLISHED_METHOD
from models.networks.arg_max import arg_max_planes
from models.networks.folding import fold_batch_norm
from models.networks.published import PublishedColorCNN
from models.palette_image import PaletteImage
from models.quantizers.base import checked_exact
from models.quantizers.learned.palette import color_sums, mean_palette
from models.rgb import Pixels
from models.zoo.registry import Registry

_MAX_PIXELS = 1 << 20  # the U-Net works at full resolution and needs about 2 kB a pixel


@dataclass(frozen=True, eq=False)
class PublishedQuantizer:
    """Quantizer of Hou, Zheng and Gould, "Learning to Structure an Image with Few Colors", CVPR 2020.

    The index map comes from a U-Net; the palette is the mean of each index's pixels, rounded to 8 bits. Cost: O(n) for
    n pixels. At the training size it is four times the cost of the served network, and the ratio grows with the image.

    network: in eval mode, on `device`; it quantizes to one number of colors.
    """

    network: PublishedColorCNN
    device: torch.device
    name: ClassVar[str] = PUBLISHED_METHOD

    @torch.inference_mode()
    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`; as in the paper, the result may have a single color.

        Raises BadOption for a number of colors other than the network's, ImageTooLarge for more than 2^20 pixels, and
        NotFinite where the network computes a value that is not finite.
        """
        unchanged = checked_exact(pixels, colors)
        if colors != self.network.config.colors:
            raise BadOption(f"this network quantizes to {self.network.config.colors} colors only, not to {colors}")
        if unchanged is not None:
            return unchanged
        height, width = pixels.shape[:2]
        if height * width > _MAX_PIXELS:
            raise ImageTooLarge(f"{self.name} quantizes at most {_MAX_PIXELS} pixels, not {width} x {height}")
        batch = torch.from_numpy(pixels[np.newaxis].copy()).to(self.device)
        logits = self.network.index_logits(batch.permute(0, 3, 1, 2).float().div(255))
        if not bool(logits.isfinite().all()):
            raise NotFinite("the published network computed logits that are not finite")
        indices = arg_max_planes(logits)
        return mean_palette(indices[0].cpu().numpy(), color_sums(batch, indices, colors)[0].cpu().numpy())


def load_published(registry: Registry, name: str, device: torch.device) -> PublishedQuantizer:
    """Load the published network `name`, ready to quantize on `device`.

    Raises UnknownModel if there is no such model or if it is of another kind, and CorruptCheckpoint for a damaged file.
    """
    network = registry.load(name, device)
    if not isinstance(network, PublishedColorCNN):
        raise UnknownModel(f"{name!r} is a {registry.entry(name).kind}, not a published ColorCNN")
    return PublishedQuantizer(fold_batch_norm(network), device)
