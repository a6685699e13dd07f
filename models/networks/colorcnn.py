"""The network that is served: one set of weights paints an image of any size with any number of colors, 2 to 256.

It answers the same question as ColorCNN (Hou, Zheng and Gould, CVPR 2020), which index each pixel gets, but not with
one output channel per index: K color centers from a k-means on the image's own pixels become query vectors, and each
pixel takes the query that its feature vector and its color agree with best.

    image ----------------+-- k-means --> K centers -- MLP --> K queries q_k
                          |                  |                    |
                          |                  v                    v
                          |      -beta |x - c_k|^2 / spread  +  q_k . f(x)  --> softmax (soft) or arg max (hard)
                          v                                       ^
      view at the encoder's size -- frozen classifier -- decoder -+

The frozen classifier is the encoder: it already knows what matters. It sees the whole image scaled to its own input
size, as it does when it classifies. What the features say of each index (the structure, q . f) is then interpolated to
the image's pixels, so that structure is drawn at the scale at which the classifier looks, edges stay as sharp as the
colors, an image costs the network the same whatever its size, and any part of it can be indexed by itself.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.arg_max import arg_max_affine, arg_max_planes, piece
from models.networks.centers import ROUNDS, Centers, kmeans_centers
from models.networks.classifiers import Classifier, ClassifierConfig, build_classifier
from models.networks.config import NetworkConfig
from models.networks.palette import HardResult, SoftResult, hard_palette, paint, soft_palette

DECODER_WIDTHS = (32, 48, 80, 128)
"""Channels of the served network's decoder, finest level first; as many are used as the encoder has stages."""

_QUERY_INPUTS = 9


@dataclass(frozen=True, kw_only=True)
class ColorCNNConfig(NetworkConfig):
    """What it takes to build the network again; stored in its checkpoint.

    encoder: the frozen classifier. widths: channels of the decoder, finest level first, one for each encoder stage.
    features: length of a pixel's feature vector and of a query. hidden: units of the query MLP's two hidden layers.
    fade: numbers of colors from which on structure counts less, and not at all; between them its weight falls with
    log2 K. None lets it count in full everywhere.
    rounds: of the k-means that finds the color centers.
    strengths: factors of the structure that are tried for each image, see `models.quantizers.learned.search`; one alone is
    taken as it is.
    """

    encoder: ClassifierConfig
    widths: tuple[int, ...] = DECODER_WIDTHS
    features: int = 32
    hidden: int = 64
    fade: tuple[int, int] | None = None
    rounds: int = ROUNDS
    strengths: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.fade is not None and not 2 <= self.fade[0] < self.fade[1]:
            raise ValueError(f"fade must be two rising numbers of colors, not {self.fade}")
        if self.rounds < 0:
            raise ValueError(f"rounds must be 0 or more, not {self.rounds}")
        if not self.strengths or not all(0 <= strength < math.inf for strength in self.strengths):
            raise ValueError(f"strengths must be numbers from 0 on, not {self.strengths}")

    def structure_weight(self, colors: int) -> float:
        """How much structure counts at K = `colors`, 0 to 1; at 0 the network is the k-means that it starts from."""
        if self.fade is None:
            return 1.0
        first, last = map(math.log2, self.fade)
        return min(1.0, max(0.0, (last - math.log2(colors)) / (last - first)))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """As of every NetworkConfig, with the encoder's own configuration inside."""
        return super().from_json({**values, "encoder": ClassifierConfig.from_json(values.get("encoder", {}))})


class Plan(NamedTuple):
    """All that is global about a batch of images; with it any part of their pixels can be indexed by itself."""

    structure: Tensor | None  # (B, K, s, s) float32, index logits from the features, at the encoder's size
    weights: Tensor  # (B, K, 3) float32, index logits from a pixel's color x: weights . x + offsets
    offsets: Tensor  # (B, K, 1) float32

    def times(self, strength: float | Tensor) -> "Plan":
        """The plan with more or less structure; 0 leaves the k-means that the network starts from.

        strength: one for all images, or (B,) float32.
        """
        if self.structure is None:
            return self
        factors = torch.as_tensor(strength, device=self.structure.device).view(-1, 1, 1, 1)
        return self._replace(structure=self.structure * factors)

    def repeated(self, count: int) -> "Plan":
        """The plan of the batch as many times over, (count B, ...): all images, then all of them again, and so on."""
        structure = None if self.structure is None else self.structure.repeat(count, 1, 1, 1)
        return Plan(structure, self.weights.repeat(count, 1, 1), self.offsets.repeat(count, 1, 1))


class Window(NamedTuple):
    """A rectangle of pixels in an image of `image_height` x `image_width` pixels."""

    top: int
    left: int
    image_height: int
    image_width: int


class ColorCNN(nn.Module):
    """See the module's docstring. Only `decoder`, `queries` and `sharpness` are trained; the encoder is frozen."""

    def __init__(self, config: ColorCNNConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_classifier(config.encoder).requires_grad_(False)
        self.decoder = Decoder(self.encoder, widths=config.widths, outputs=config.features)
        self.queries = nn.Sequential(
            nn.Linear(_QUERY_INPUTS, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.features),
        )
        # log beta = sharpness[0] + sharpness[1] * log2(K) / 8
        self.sharpness = nn.Parameter(torch.tensor([math.log(0.5), 0.0]))

    def train(self, mode: bool = True) -> Self:
        """Training mode for all but the encoder, whose batch norm stays as the classifier learned it."""
        super().train(mode)
        self.encoder.eval()
        return self

    def soft(self, images: Tensor, colors: int) -> SoftResult:
        """Paint with index probabilities: (B, 3, s, s) float32 in [0, 1] -> equations 1 and 2 of the paper."""
        probabilities = self.index_logits(images, self._native_plan(images, colors)).softmax(1)
        palette = soft_palette(images, probabilities)
        return SoftResult(paint(palette, probabilities), palette, probabilities)

    def hard(self, images: Tensor, colors: int) -> HardResult:
        """Paint with the likeliest index of each pixel: (B, 3, s, s) float32 in [0, 1] -> index maps and palettes."""
        with torch.no_grad():
            indices = self.indices(images, self._native_plan(images, colors)).long()
            return HardResult(indices, *hard_palette(images, indices, colors))

    def plan(self, view: Tensor, pixels: Tensor, colors: int) -> Plan:
        """Everything that depends on the whole image; where structure has faded out, it costs the k-means alone.

        Args:
            view: (B, 3, s, s) float32 in [0, 1], the images scaled to the encoder's size s.
            pixels: (B, N, 3) float32 in [0, 1], all pixels of the images or a sample of them.
            colors: K, 2 to 256.
        """
        centers = kmeans_centers(pixels, colors, self.config.rounds)
        weight = self.config.structure_weight(colors)
        structure = weight * self._structure(view, centers) if weight else None
        beta = (self.sharpness[0] + self.sharpness[1] * math.log2(colors) / 8).exp()
        scale = (beta / centers.spread).view(-1, 1, 1)
        # -|x - c|^2 = 2 x.c - |c|^2 - |x|^2, and |x|^2, the same for every k, changes neither softmax nor arg max.
        return Plan(structure, 2 * scale * centers.colors, -scale * centers.colors.square().sum(2, keepdim=True))

    def index_logits(self, images: Tensor, plan: Plan, window: Window | None = None) -> Tensor:
        """Index logits of the pixels of whole images, or of a window of them.

        Args:
            images: (B, 3, h, w) float32 in [0, 1].
            plan: of the whole images.
            window: where the given pixels lie; None means that they are the whole images.

        Returns:
            (B, K, h, w) float32.
        """
        return _rows_of_logits(images, plan, _axes(images, plan, window), slice(None))

    @torch.no_grad()
    def indices(self, images: Tensor, plan: Plan, window: Window | None = None) -> Tensor:
        """The likeliest index of each pixel, as the arg max of `index_logits` but without all of those at once.

        Memory is the result, (B, h, w) uint8, and the logits of a few rows of pixels.
        """
        if plan.structure is None:
            found = arg_max_affine(images.float().flatten(2).mT, plan.weights, plan.offsets)
            return found.view(images[:, 0].shape)
        axes = _axes(images, plan, window)
        step = max(1, piece(images.device) // (plan.offsets.numel() * images.shape[3]))
        bands = [slice(top, top + step) for top in range(0, images.shape[2], step)]
        return torch.cat([arg_max_planes(_rows_of_logits(images, plan, axes, rows)) for rows in bands], 1)

    def _structure(self, view: Tensor, centers: Centers) -> Tensor:
        with torch.no_grad():
            maps = self.encoder.features(view)
        features = self.decoder(view, maps).float()
        queries = self.queries(_describe(centers)).float()
        with torch.autocast(view.device.type, enabled=False):
            return torch.bmm(queries, features.flatten(2)).view(*queries.shape[:2], *features.shape[2:])

    def _native_plan(self, images: Tensor, colors: int) -> Plan:
        size = self.config.encoder.size
        if images.shape[2:] != (size, size):
            given = " x ".join(map(str, images.shape[2:]))
            raise ValueError(f"images must be {size} x {size}, not {given}; for others use plan and index_logits")
        return self.plan(images, images.flatten(2).transpose(1, 2), colors)


class Decoder(nn.Module):
    """Top-down pathway (Lin et al., feature pyramid networks, CVPR 2017) from the encoder's stages back to its pixels.

    Each level adds the upsampled coarser level to a 1x1 projection of the encoder's stage and mixes them by a 3x3
    convolution; the finest level also sees the pixels themselves.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Classifier, *, widths: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        if len(widths) != len(encoder.channels):
            raise ValueError(f"the encoder has {len(encoder.channels)} stages, but {len(widths)} widths were given")
        self.laterals = nn.ModuleList(
            nn.Conv2d(inputs, width, 1) for inputs, width in zip(encoder.channels, widths, strict=True)
        )
        self.pixels = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.reductions = nn.ModuleList(nn.Conv2d(b, a, 1, bias=False) for a, b in pairwise(widths))
        self.mixers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            )
            for width in widths
        )
        self.out = nn.Conv2d(widths[0], outputs, 1)
        self.register_buffer("mean", encoder.mean.clone(), persistent=False)
        self.register_buffer("std", encoder.std.clone(), persistent=False)

    def forward(self, view: Tensor, maps: list[Tensor]) -> Tensor:
        """(B, 3, s, s) in [0, 1] and the encoder's stages, finest first -> (B, outputs, s, s)."""
        x = self.laterals[-1](maps[-1])
        for level in range(len(maps) - 1, -1, -1):
            if level < len(maps) - 1:
                x = F.interpolate(self.reductions[level](x), maps[level].shape[2:], mode="nearest")
                x = x + self.laterals[level](maps[level])
            if level == 0:
                x = F.interpolate(x, view.shape[2:], mode="nearest") + self.pixels((view - self.mean) / self.std)
            x = self.mixers[level](x)
        return cast(Tensor, self.out(x))

    @torch.no_grad()
    def fold_sums(self) -> None:
        """Fold the batch norm in front of each mixer into the convolutions whose sum it gets; in place, in eval mode.

        `fold_batch_norm` does it for those that follow one convolution.
        """
        for level, mixer in enumerate(cast(Iterable[nn.Sequential], self.mixers)):
            norm, lateral = cast(nn.BatchNorm2d, mixer[0]), cast(nn.Conv2d, self.laterals[level])
            scale = norm.weight * (cast(Tensor, norm.running_var) + norm.eps).rsqrt()
            for conv in [lateral, *self.reductions[level : level + 1], *([] if level else [self.pixels])]:
                cast(Tensor, conv.weight).mul_(scale.view(-1, 1, 1, 1))
            cast(Tensor, lateral.bias).mul_(scale).add_(norm.bias - cast(Tensor, norm.running_mean) * scale)
            mixer[0] = nn.Identity()


def build_colorcnn(config: ColorCNNConfig) -> ColorCNN:
    """The network with fresh weights from torch's global generator; the encoder's weights are the caller's to load."""
    return ColorCNN(config)


class _Axes(NamedTuple):
    """The weights of the structure's cells on each row and column of pixels."""

    rows: Tensor  # (h, s) float32
    columns: Tensor  # (w, s) float32


def _axes(images: Tensor, plan: Plan, window: Window | None) -> _Axes | None:
    """Of a bilinear interpolation to whole images, the part in the window; None where there is none to do."""
    height, width = images.shape[2:]
    top, left, image_height, image_width = window or Window(0, 0, height, width)
    if plan.structure is None or plan.structure.shape[2:] == (image_height, image_width) == (height, width):
        return None
    rows = _interpolation(plan.structure, top, height, image_height)
    return _Axes(rows, _interpolation(plan.structure, left, width, image_width))


def _rows_of_logits(images: Tensor, plan: Plan, axes: _Axes | None, rows: slice) -> Tensor:
    """(B, K, n, w) float32, the index logits of n rows of the images."""
    pixels = images[:, :, rows].float()
    with torch.autocast(images.device.type, enabled=False):
        # float32 throughout: at large K the color term is a small difference of large numbers.
        logits = torch.baddbmm(plan.offsets, plan.weights, pixels.flatten(2)).view(len(pixels), -1, *pixels.shape[2:])
        if plan.structure is None:
            return logits
        part = plan.structure[:, :, rows] if axes is None else axes.rows[rows] @ plan.structure @ axes.columns.T
        return logits.add_(part)


def _interpolation(structure: Tensor, start: int, count: int, length: int) -> Tensor:
    """(count, s) of an axis of `length` pixels: each row the weights of one pixel on the s cells, from `start` on."""
    cells = structure.shape[2]
    places = torch.arange(start, start + count, device=structure.device, dtype=torch.float64) + 0.5
    places = (places * (cells / length) - 0.5).clamp(0, cells - 1)
    distances = places.unsqueeze(1) - torch.arange(cells, device=structure.device)
    return (1 - distances.abs()).clamp_min(0).to(structure.dtype)


def _describe(centers: Centers) -> Tensor:
    """What a query is made from, (B, K, 9): color, color relative to the image, rank, share, log2 K; of order 1."""
    colors, shares, _ = centers
    count = colors.shape[1]
    weights = shares.unsqueeze(2)
    mean = (weights * colors).sum(1, keepdim=True)
    contrast = (weights * (colors - mean).square()).sum((1, 2), keepdim=True).sqrt().clamp_min(1e-3)
    rank = torch.linspace(-1, 1, count, device=colors.device).view(1, -1, 1).expand(len(colors), -1, 1)
    size = torch.full_like(rank, math.log2(count) / 4 - 1)
    return torch.cat([4 * colors - 2, (colors - mean) / contrast, rank, (weights * count).sqrt() - 1, size], 2)
