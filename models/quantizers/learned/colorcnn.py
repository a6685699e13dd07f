"""The learned quantizer: a ColorCNN network behind the interface that all quantizers share, for images of any size."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import UnknownModel
from models.names import LEARNED_METHOD, ONE_PASS, REFINED
from models.networks.colorcnn import ColorCNN, Plan, Window
from models.networks.folding import fold_batch_norm
from models.networks.precision import has_bfloat16
from models.palette_image import PaletteImage
from models.quantizers.base import check_colors, checked_exact, exact
from models.quantizers.learned.refinement import refined
from models.quantizers.learned.search import strengthened
from models.rgb import resize
from models.zoo.registry import Registry

_SAMPLE = 1 << 14  # pixels that the color centers are made from
_TILE_PIXELS = 1 << 17  # some 35 bytes each while their tile is painted


@dataclass(frozen=True, eq=False)
class LearnedQuantizer:
    """Index map from the network, palette as the mean of each index's pixels, rounded to 8 bits.

    network: in eval mode, on `device`. The network plans once for the whole image; then tiles of it are indexed one
    after the other and their colors are added up in integers, so the palette is exact for the whole image.

    Memory: of the image's own size, its pixels and its index map, a byte for each pixel on the device; all else is
    bounded by a tile of 2^17 pixels, whatever the image's size and K, but for each image's structure, which takes 4 s^2
    bytes for each color where it has not faded out.

    On CUDA, and on processors with instructions for it, the networks are in bfloat16, as in training; what tells
    colors apart is in float32.

    fidelity: whose eye the search for the strength of the structure serves, from 0, the classifier's, to 1, the human's
    (the squared error); without effect where the network does not heed it. search: whether there is that search;
    without it structure is as strong as it was learned, and the classifier is not asked once more for each strength.
    refinement: whether structure is refined for each image after that, for the classifier's eye alone.
    """

    network: ColorCNN
    device: torch.device
    fidelity: float = 0.0
    search: bool = True
    refinement: bool = False
    name: ClassVar[str] = LEARNED_METHOD

    @property
    def size(self) -> int:
        """Side of the square images that `quantize_batch` paints, in pixels."""
        return self.network.config.encoder.size

    @property
    def supports_fidelity(self) -> bool:
        """Whether there is more than one strength to choose from."""
        return len(self.network.config.strengths) > 1

    def by(self, method: str) -> Self:
        """The same network for one of LEARNED_METHODS."""
        return replace(self, search=method != ONE_PASS, refinement=method == REFINED)

    @torch.inference_mode()
    def quantize(self, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        """Paint (H, W, 3) uint8 sRGB pixels with at most `colors` colors, 2 to 256; BadOption for others.

        An image that has no more than `colors` colors comes back exactly.
        """
        unchanged = checked_exact(pixels, colors)
        if unchanged is not None:
            return unchanged
        view, sample = self._upload(resize(pixels, self.size)[np.newaxis]), self._upload(_sample(pixels))
        plan = self._plan(_planes(view), _planes(sample), colors)
        painted = self._paint(pixels, plan, colors)
        # Where the network gives every pixel the same index, the k-means that it started from still shows something.
        return painted if painted.colors > 1 else self._paint(pixels, plan.times(0), colors)

    @torch.inference_mode()
    def quantize_batch(self, images: NDArray[np.uint8], colors: int) -> list[PaletteImage]:
        """Paint many images of the network's own size at once: (B, s, s, 3) uint8 sRGB; see `quantize`."""
        check_colors(colors)
        uploaded = self._upload(images)
        batch = _planes(uploaded)
        indices = self.network.indices(batch, self._plan(batch, batch, colors))
        found = indices.cpu().numpy(), color_sums(uploaded, indices, colors).cpu().numpy()
        return [self._finished(*each, colors) for each in zip(images, *found, strict=True)]

    def _finished(
        self, pixels: NDArray[np.uint8], indices: NDArray[np.uint8], sums: NDArray[np.int64], colors: int
    ) -> PaletteImage:
        """One image of a batch; those that need more than its arg max go through `quantize`."""
        unchanged = exact(pixels, colors)
        if unchanged is not None:
            return unchanged
        painted = mean_palette(indices, sums)
        return painted if painted.colors > 1 else self.quantize(pixels, colors)

    def _paint(self, pixels: NDArray[np.uint8], plan: Plan, colors: int) -> PaletteImage:
        indices = torch.empty(pixels.shape[:2], dtype=torch.uint8, device=self.device)
        sums = torch.zeros(colors, 4, dtype=torch.int64, device=self.device)
        for rows, columns in _tiles(pixels.shape):
            tile = self._upload(pixels[np.newaxis, rows, columns])
            part = self.network.indices(_planes(tile), plan, Window(rows.start, columns.start, *pixels.shape[:2]))
            indices[rows, columns] = part[0]
            sums += color_sums(tile, part, colors)[0]
        return mean_palette(indices.cpu().numpy(), sums.cpu().numpy())

    def _plan(self, views: Tensor, images: Tensor, colors: int) -> Plan:
        """views: (B, 3, s, s); images: (B, 3, ...), their pixels or a sample of them; both float32 in [0, 1]."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            plan = self.network.plan(views, images.flatten(2).mT, colors)
            strengths = self.network.config.strengths
            if not self.search and len(strengths) > 1:
                strengths = (1.0,)
            plan = strengthened(self.network, views, plan, strengths, self.fidelity)
            return refined(self.network, views, plan) if self.refinement else plan

    def _upload(self, pixels: NDArray[np.uint8]) -> Tensor:
        """The same array on the device."""
        copy = torch.from_numpy(pixels.copy())  # of what may be read-only
        if self.device.type == "cuda":
            copy = copy.pin_memory()  # so that a tile is copied while the one before is painted
        return copy.to(self.device, non_blocking=True)


def _planes(pixels: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [0, 1], channels last in memory."""
    return pixels.permute(0, 3, 1, 2).float().div_(255)


def _sample(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) -> (1, N, 1, 3), pixels at equal distances, all of them if they are few."""
    flat = pixels.reshape(1, -1, 1, 3)
    return flat[:, :: -(-flat.shape[1] // _SAMPLE)]


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Cover the image with tiles of bounded size, as wide as can be: rows lie together in memory."""
    height, width = shape[:2]
    tile_width = min(width, _TILE_PIXELS)
    tile_height = _TILE_PIXELS // tile_width
    for top in range(0, height, tile_height):
        for left in range(0, width, tile_width):
            yield slice(top, min(height, top + tile_height)), slice(left, min(width, left + tile_width))


def color_sums(pixels: Tensor, indices: Tensor, colors: int) -> Tensor:
    """Red, green and blue sums and the number of the pixels of each index, on the device that the arguments are on.

    Args:
        pixels: (B, H, W, 3) uint8.
        indices: (B, H, W) uint8, each in [0, colors).
        colors: K.

    Returns:
        (B, K, 4) int64. Costs 17 bytes for each pixel on the way, whatever K.
    """
    bins = (indices.flatten(1) + colors * torch.arange(len(indices), device=indices.device).unsqueeze(1)).flatten()
    count = colors * len(indices)
    # float64 holds sums of 8-bit values exactly, so the order in which a GPU adds does not show.
    planes = [torch.bincount(bins, pixels[..., channel].flatten().double(), count) for channel in range(3)]
    return torch.stack([*planes, torch.bincount(bins, minlength=count)], 1).long().view(len(indices), colors, 4)


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
    fold_batch_norm(network).decoder.fold_sums()
    return LearnedQuantizer(network, device)
