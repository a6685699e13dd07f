"""The learned quantizer: a ColorCNN network behind the interface that all quantizers share, for images of any size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import UnknownModel
from models.networks.colorcnn import ColorCNN, Plan, Window
from models.networks.folding import fold_batch_norm
from models.palette_image import PaletteImage
from models.quantizers.base import check_colors, checked_exact, exact
from models.quantizers.search import strengthened
from models.registry import Registry
from models.resampling import resize

_SAMPLE = 1 << 14  # pixels that the colour centres are made from
_TILE_PIXELS = 1 << 17
_TILE_LOGITS = 1 << 21  # 8 MiB of float32, a few of which are alive at a time; no other size was faster


@dataclass(frozen=True, eq=False)
class LearnedQuantizer:
    """Index map from the network, palette as the mean of each index's pixels, rounded to 8 bits.

    network: in eval mode, on `device`. The network plans once for the whole image; then tiles of it are indexed one
    after the other and their colours are added up in integers, so the palette is exact for the whole image. Beside a
    few copies of the image and of its index map, memory is bounded by the tile, whatever the image's size and K.

    fidelity: whose eye the search for the strength of the structure serves, from 0, the classifier's, to 1, the human's
    (the squared error); without effect where the network does not heed it.
    """

    network: ColorCNN
    device: torch.device
    fidelity: float = 0.0
    name: ClassVar[str] = "colorcnn"

    @property
    def size(self) -> int:
        """Side of the square images that `quantize_batch` paints, in pixels."""
        return self.network.config.encoder.size

    @property
    def heeds_fidelity(self) -> bool:
        """Whether there is more than one strength to choose from."""
        return len(self.network.config.strengths) > 1

    @torch.inference_mode()
    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """Paint (H, W, 3) uint8 sRGB pixels with at most `colors` colours, 2 to 256; BadOption for others.

        An image that has no more than `colors` colours comes back exactly.
        """
        unchanged = checked_exact(pixels, colors)
        if unchanged is not None:
            return unchanged
        plan = self._plan(pixels, colors)
        painted = self._paint(pixels, plan, colors)
        # Where the network gives every pixel the same index, the k-means that it started from still shows something.
        return painted if painted.colors > 1 else self._paint(pixels, plan.times(0), colors)

    @torch.inference_mode()
    def quantize_batch(self, images: NDArray[np.uint8], colors: int) -> list[PaletteImage]:
        """Paint many images of the network's own size at once: (B, s, s, 3) uint8 sRGB; see `quantize`."""
        check_colors(colors)
        batch = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2).float().div(255)
        plan = self.network.plan(batch, batch.flatten(2).transpose(1, 2), colors)
        plan = strengthened(self.network, batch, plan, self.fidelity)
        indices = self.network.index_logits(batch, plan).argmax(1).to(torch.uint8).cpu().numpy()
        return [self._finished(pixels, index, colors) for pixels, index in zip(images, indices, strict=True)]

    def _finished(self, pixels: NDArray[np.uint8], indices: NDArray[np.uint8], colors: int) -> PaletteImage:
        """One image of a batch; those that need more than its arg max go through `quantize`."""
        unchanged = exact(pixels, colors)
        if unchanged is not None:
            return unchanged
        painted = mean_palette(indices, color_sums(pixels, indices, colors))
        return painted if painted.colors > 1 else self.quantize(pixels, colors)

    def _paint(self, pixels: NDArray[np.uint8], plan: Plan, colors: int) -> PaletteImage:
        indices = np.empty(pixels.shape[:2], np.uint8)
        sums = np.zeros((colors, 4), np.int64)
        for rows, columns in _tiles(pixels.shape, colors):
            tile = pixels[rows, columns]
            part = self._index(tile, plan, Window(rows.start, columns.start, *pixels.shape[:2]))
            indices[rows, columns] = part
            sums += color_sums(tile, part, colors)
        return mean_palette(indices, sums)

    def _plan(self, pixels: NDArray[np.uint8], colors: int) -> Plan:
        view = self._tensor(resize(pixels, self.size))
        flat = pixels.reshape(-1, 1, 3)
        sample = self._tensor(flat[:: -(-len(flat) // _SAMPLE)])
        plan = self.network.plan(view, sample.flatten(2).transpose(1, 2), colors)
        return strengthened(self.network, view, plan, self.fidelity)

    def _index(self, tile: NDArray[np.uint8], plan: Plan, window: Window) -> NDArray[np.uint8]:
        indices = self.network.index_logits(self._tensor(tile), plan, window).argmax(1)
        return indices[0].to(torch.uint8).cpu().numpy()

    def _tensor(self, pixels: NDArray[np.uint8]) -> Tensor:
        """(H, W, 3) uint8 -> (1, 3, H, W) float32 in [0, 1] on the device."""
        return torch.from_numpy(pixels.copy()).to(self.device).permute(2, 0, 1).unsqueeze(0).float().div(255)


def _tiles(shape: tuple[int, ...], colors: int) -> Iterator[tuple[slice, slice]]:
    """Cover the image with tiles of bounded size, as wide as can be: rows lie together in memory."""
    height, width = shape[:2]
    pixels = min(_TILE_PIXELS, _TILE_LOGITS // colors)
    tile_width = min(width, pixels)
    tile_height = pixels // tile_width
    for top in range(0, height, tile_height):
        for left in range(0, width, tile_width):
            yield slice(top, min(height, top + tile_height)), slice(left, min(width, left + tile_width))


def color_sums(pixels: NDArray[np.uint8], indices: NDArray[np.uint8], colors: int) -> NDArray[np.int64]:
    """(K, 4): red, green and blue sums and the number of the pixels of each index; (H, W, 3) and (H, W) uint8."""
    flat, index = pixels.reshape(-1, 3), indices.reshape(-1)
    planes = [np.bincount(index, weights=flat[:, channel], minlength=colors) for channel in range(3)]
    return np.stack([*planes, np.bincount(index, minlength=colors)], 1).astype(np.int64)


def mean_palette(indices: NDArray[np.uint8], sums: NDArray[np.int64]) -> PaletteImage:
    """The palette is the mean of each index's pixels, rounded to 8 bits; indices that no pixel has are dropped.

    indices: (H, W) uint8. sums: of `color_sums`.
    """
    means = sums[:, :3] / np.maximum(sums[:, 3:], 1)
    return PaletteImage(indices, np.rint(means).astype(np.uint8)).compact()


def load_quantizer(registry: Registry, name: str, device: torch.device) -> LearnedQuantizer:
    """The learned quantizer of that name, ready to paint on `device`.

    Raises UnknownModel, also for a model that is no served quantizer, or CorruptCheckpoint.
    """
    network = registry.load(name, device)
    if not isinstance(network, ColorCNN):
        raise UnknownModel(f"{name!r} is a {registry.entry(name).kind}, not a quantizer that is served")
    return LearnedQuantizer(fold_batch_norm(network), device)
