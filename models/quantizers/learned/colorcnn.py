"""The learned quantizer: a ColorCNN network behind the interface that all quantizers share, for images of any size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import UnknownModel
from models.names import LEARNED_METHOD, ONE_PASS, REFINED, REFINED_CODE
from models.networks.classifiers import Classifier
from models.networks.colorcnn import ColorCNN
from models.networks.folding import fold_batch_norm
from models.networks.integer import IntegerNetworks, convert_to_integers
from models.networks.plan import Plan, Window
from models.networks.precision import has_bfloat16, has_int8
from models.palette_image import PaletteImage
from models.pauses import pause
from models.quantizers.base import check_colors, checked_exact, exact
from models.quantizers.learned.few_colors import count_colors, merge_closest
from models.quantizers.learned.palette import color_sums, mean_palette
from models.quantizers.learned.refinement import refine_structure
from models.quantizers.learned.search import Candidates, select_structure
from models.quantizers.learned.team import in_parts
from models.rgb import Pixels, resize
from models.zoo.registry import Registry

_SAMPLE = 1 << 14  # pixels that the color centers are computed from
_TILE_PIXELS = 1 << 17  # quantizing a tile takes 35 bytes of memory a pixel


@dataclass(frozen=True, eq=False)
class LearnedQuantizer:
    """Quantizer whose index map comes from a network; a palette entry is the mean of the pixels of its index.

    The network computes one plan for the whole image. The image is then indexed tile by tile. The colors of all tiles
    are summed in integers, so the palette is exact for the whole image.

    Device memory holds the pixels of the image, one byte a pixel for the index map, and a tile of 2^17 pixels. Below
    the structure cutoff it also holds the structure, 4 s^2 bytes for each image and color.

    On CUDA, and on processors with bfloat16 instructions, the encoder and the decoder run in bfloat16, as in training.
    Everything that compares colors runs in float32.

    network: in eval mode, on `device`.
    fidelity: 0 to 1, the weight of the squared error in the search for the scale of the structure. The output of the
        classifier has the remaining weight. Without effect unless `supports_fidelity`.
    search: whether to search for the best structure of each image; without the search the image gives it, at scale 1.
    refinement: whether to refine each image's structure.
    guides: other classifiers of the encoder's classes and size that images are refined for, so that classifiers that
        take no part recognize them, too. Then the refinement begins at the scale of training, without the
        network's gain; without guides, it follows the search.
    integer: classifier and decoder in 8-bit integers, which replace those of `network` without refinement.
    """

    network: ColorCNN
    device: torch.device
    fidelity: float = 0.0
    search: bool = True
    refinement: bool = False
    guides: tuple[Classifier, ...] = ()
    integer: IntegerNetworks | None = None
    name: ClassVar[str] = LEARNED_METHOD

    @property
    def size(self) -> int:
        """Side of the square images that `quantize_batch` accepts, in pixels."""
        return self.network.config.encoder.size

    @property
    def supports_fidelity(self) -> bool:
        """Whether the network has several structure scales to select from."""
        return len(self.network.config.structure_scales) > 1

    def for_method(self, method: str) -> Self:
        """Return a quantizer on the same network for one of LEARNED_METHODS, or REFINED_CODE."""
        guides = () if method == REFINED_CODE else self.guides
        refinement = method in (REFINED, REFINED_CODE)
        return replace(self, search=method != ONE_PASS, refinement=refinement, guides=guides)

    @torch.inference_mode()
    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        """See `Quantizer.quantize`. Raises NotFinite where the network computes a value that is not finite."""
        close = checked_exact(pixels, colors) or merge_closest(pixels, colors)
        if close is not None:
            return close
        return self._quantize_planned([pixels], colors)[0]

    def quantize_batch(self, images: Pixels, colors: int) -> list[PaletteImage]:
        """Quantize many images of the network's native size at once: (B, s, s, 3) uint8 sRGB; see `quantize`."""
        check_colors(colors)
        work = partial(self._quantize_native, colors=colors)
        return in_parts(work, images) if self.integer and not self.refinement else work(images)

    @torch.inference_mode()
    def _quantize_native(self, images: Pixels, colors: int) -> list[PaletteImage]:
        """See `quantize_batch`."""
        uploaded = self._upload(images)
        batch = _planes(uploaded)
        plan = self._plan(batch, [batch], colors)
        indices = plan.indices(batch)
        results = indices.cpu().numpy(), color_sums(uploaded, indices, colors).cpu().numpy()
        few = count_colors(images) <= 2 * colors
        parts = (plan.part(slice(row, row + 1)) for row in range(len(images)))
        return [self._finish(*each, colors) for each in zip(images, few, parts, *results, strict=True)]

    @torch.inference_mode()
    def quantize_together(self, images: Sequence[Pixels], colors: int) -> list[PaletteImage]:
        """Quantize images of any sizes, (H, W, 3) uint8 sRGB each, with one plan for all; see `quantize`.

        Each image has its own color centers and is indexed by itself, so it gets the result of `quantize`, but for the
        rounding of a batch of another size. Memory holds the structure of all images, and one tile.
        """
        check_colors(colors)
        native, others, found = list[int](), list[int](), dict[int, PaletteImage]()
        for position, pixels in enumerate(images):
            if pixels.shape[:2] == (self.size, self.size):
                native.append(position)
                continue
            close = checked_exact(pixels, colors) or merge_closest(pixels, colors)
            if close is None:
                others.append(position)
            else:
                found[position] = close
        if native:
            batch = np.stack([images[position] for position in native])
            found |= zip(native, self.quantize_batch(batch, colors), strict=True)
        if others:
            planned = self._quantize_planned([images[position] for position in others], colors)
            found |= zip(others, planned, strict=True)
        return [found[position] for position in range(len(images))]

    def _quantize_planned(self, images: Sequence[Pixels], colors: int) -> list[PaletteImage]:
        """Plan images of any sizes together, and index one after the other."""
        samples = [_sample(pixels) for pixels in images]
        order = sorted(range(len(images)), key=lambda position: samples[position].shape[1])
        groups = groupby((samples[position] for position in order), lambda sample: sample.shape[1])
        views = self._upload(np.stack([resize(images[position], self.size) for position in order]))
        sets = [_planes(self._upload(np.concatenate(list(group)))) for _, group in groups]
        plan = self._plan(_planes(views), sets, colors)
        indexed = {
            position: self._index(images[position], plan.part(slice(row, row + 1)), colors)
            for row, position in enumerate(order)
        }
        return [indexed[position] for position in range(len(images))]

    def _index(self, pixels: Pixels, plan: Plan, colors: int) -> PaletteImage:
        quantized = self._quantize_tiles(pixels, plan, colors)
        if quantized.colors > 1:
            return quantized
        # Structure alone may assign one index to every pixel; plain k-means still separates some colors.
        return self._quantize_tiles(pixels, plan.scale_structure(0), colors)

    def _finish(
        self, pixels: Pixels, few: bool, plan: Plan, indices: NDArray[np.uint8], sums: NDArray[np.int64], colors: int
    ) -> PaletteImage:
        """Build the result for one image of a batch; an image that its plan leaves with one color gets plain k-means.

        few: whether the image has at most twice as many colors as requested.
        """
        close = exact(pixels, colors) or merge_closest(pixels, colors) if few else None
        if close is not None:
            return close
        quantized = mean_palette(indices, sums)
        return quantized if quantized.colors > 1 else self._quantize_tiles(pixels, plan.scale_structure(0), colors)

    def _quantize_tiles(self, pixels: Pixels, plan: Plan, colors: int) -> PaletteImage:
        indices = torch.empty(pixels.shape[:2], dtype=torch.uint8, device=self.device)
        sums = torch.zeros(colors, 4, dtype=torch.int64, device=self.device)
        for rows, columns in _tiles(pixels.shape):
            tile = self._upload(pixels[np.newaxis, rows, columns])
            part = plan.indices(_planes(tile), Window(rows.start, columns.start, *pixels.shape[:2]))
            indices[rows, columns] = part[0]
            sums += color_sums(tile, part, colors)[0]
            pause()
        return mean_palette(indices.cpu().numpy(), sums.cpu().numpy())

    def _plan(self, views: Tensor, sets: Sequence[Tensor], colors: int) -> Plan:
        """Plan images: scale the structure of each one and, with `refinement`, refine it.

        views: (B, 3, s, s). sets: (b, 3, ...) each, all pixels of b consecutive images or a sample. All are float32 in
        [0, 1].
        """
        config = self.network.config
        # The descent needs gradients, so a refined image is planned by the networks that it is refined for. The descent
        # lowers the cost of the search further, so it begins at the scale of least cost, not at the first safe one.
        networks = self.network if self.refinement or self.integer is None else self.integer
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            features, logits = networks.describe(views) if config.structure_weight(colors) else (None, None)
            plan = self.network.plan(views, [each.flatten(2).mT for each in sets], colors, features)
            scales, guided = config.structure_scales, self.refinement and bool(self.guides)
            scale = scales[0] if len(scales) == 1 else 1.0
            if guided:
                scales = (scale / config.gain(colors),)  # the descent was selected at the scale of training
            elif not self.search:
                scales = (scale,)
            candidates = Candidates(scales, config.view_shifts, config.view_scales)
            stops_early = not self.refinement
            plan = select_structure(networks, views, logits, plan, candidates, self.fidelity, stops_early=stops_early)
            return refine_structure(self.network, views, plan, self.guides) if self.refinement else plan

    def _upload(self, pixels: Pixels) -> Tensor:
        """Copy an array to the device."""
        copy = torch.from_numpy(pixels.copy())  # torch warns about read-only arrays
        if self.device.type == "cuda":
            copy = copy.pin_memory()  # a tile can be copied while the previous tile is quantized
        return copy.to(self.device, non_blocking=True)


def load_quantizer(registry: Registry, name: str, device: torch.device) -> LearnedQuantizer:
    """Load the learned quantizer `name` with its guides, ready to quantize on `device`.

    Raises UnknownModel if there is no such model or if it is of another kind, and CorruptCheckpoint for a damaged file.
    """
    network = registry.load(name, device)
    if not isinstance(network, ColorCNN):
        raise UnknownModel(f"{name!r} is a {registry.entry(name).kind}, not a learned quantizer")
    integer = convert_to_integers(network) if has_int8(device) else None
    fold_batch_norm(network).decoder.fold_sums()
    guides = tuple(_load_guide(registry, guide, device) for guide in registry.entry(name).guides)
    return LearnedQuantizer(network, device, guides=guides, integer=integer)


def _load_guide(registry: Registry, name: str, device: torch.device) -> Classifier:
    network = registry.load(name, device)
    if not isinstance(network, Classifier):
        raise UnknownModel(f"{name!r} is no classifier of this project, so it cannot be a guide")
    return fold_batch_norm(network)


def _planes(pixels: Tensor) -> Tensor:
    """Convert (B, H, W, 3) uint8 to (B, 3, H, W) float32 in [0, 1], channels last in memory."""
    return pixels.permute(0, 3, 1, 2).float().div_(255)


def _sample(pixels: Pixels) -> NDArray[np.uint8]:
    """Return evenly spaced pixels of an image, at most `_SAMPLE` of them: (H, W, 3) -> (1, N, 1, 3)."""
    flat = pixels.reshape(1, -1, 1, 3)
    return flat[:, :: -(-flat.shape[1] // _SAMPLE)]


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Yield tiles of bounded size that cover an image of (height, width, ...); wide tiles have contiguous rows."""
    height, width = shape[:2]
    tile_width = min(width, _TILE_PIXELS)
    tile_height = _TILE_PIXELS // tile_width
    for top in range(0, height, tile_height):
        for left in range(0, width, tile_width):
            yield slice(top, min(height, top + tile_height)), slice(left, min(width, left + tile_width))
