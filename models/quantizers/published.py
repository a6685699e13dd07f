"""ColorCNN as published behind the interface that all quantizers share."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import BadOption, ImageTooLarge
from models.networks.folding import fold_batch_norm
from models.networks.published import PublishedColorCNN
from models.palette_image import PaletteImage
from models.quantizers.base import check_colors, check_pixels, exact
from models.quantizers.learned import color_sums, mean_palette
from models.registry import Registry

KIND = "colorcnn-published"
_MOST_PIXELS = 1 << 20  # the U-Net works at full resolution and keeps some 2 kB for each pixel


@dataclass(frozen=True, eq=False)
class PublishedQuantizer:
    """Index map from the U-Net, palette as the mean of each index's pixels, rounded to 8 bits.

    Hou, Zheng and Gould, "Learning to Structure an Image with Few Colors", CVPR 2020. Each network paints one number of
    colours; `networks` holds them by it, in eval mode, on `device`. Cost: O(n) for n pixels, whatever K; four times the
    served network at the size of its training images, and ever more above.
    """

    networks: Mapping[int, PublishedColorCNN]
    device: torch.device
    name: ClassVar[str] = "colorcnn_published"

    @torch.inference_mode()
    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """See `Quantizer.quantize`.

        Raises BadOption for a number of colours without a network, ImageTooLarge for more than 2^20 pixels. Where the
        network gives every pixel the same index, the image has one colour: so it was published.
        """
        check_colors(colors)
        check_pixels(pixels)
        if colors not in self.networks:
            known = ", ".join(map(str, sorted(self.networks)))
            raise BadOption(f"{self.name} has one network for each number of colours; there is one for {known}")
        unchanged = exact(pixels, colors)
        if unchanged is not None:
            return unchanged
        height, width = pixels.shape[:2]
        if height * width > _MOST_PIXELS:
            raise ImageTooLarge(f"{self.name} paints at most {_MOST_PIXELS} pixels, not {width} x {height}")
        batch = torch.from_numpy(pixels.copy()).to(self.device).permute(2, 0, 1).unsqueeze(0).float().div(255)
        logits = self.networks[colors].index_logits(batch)
        indices = logits[0].argmax(0).to(torch.uint8).cpu().numpy()
        return mean_palette(indices, color_sums(pixels, indices, colors))


def load_published(registry: Registry, device: torch.device) -> PublishedQuantizer | None:
    """The published networks of a registry, the last of each number of colours; None where it has none.

    Raises CorruptCheckpoint.
    """
    loaded = [registry.load(entry.name, device) for entry in registry.available() if entry.kind == KIND]
    networks = {net.config.colors: fold_batch_norm(net) for net in loaded if isinstance(net, PublishedColorCNN)}
    return PublishedQuantizer(MappingProxyType(networks), device) if networks else None
