"""The served network: one set of weights quantizes an image of any size to any number of colors, 2 to 256.

Like ColorCNN (Hou, Zheng and Gould, CVPR 2020), the network computes an index for each pixel. Unlike ColorCNN, it has
no output channel per index: K color centers from a k-means on the image's own pixels become query vectors. Each pixel
gets the index whose query and center fit its feature vector and its color best.

    image ----------------+-- k-means --> K centers -- MLP --> K queries q_k
                          |                  |                    |
                          |                  v                    v
                          |      -beta |x - c_k|^2 / spread  +  q_k . f(x)  --> softmax (soft) or arg max (hard)
                          v                                       ^
      view at the encoder's size -- frozen classifier -- decoder -+

The frozen classifier is the encoder: its features already separate the classes. Its input is the whole image scaled to
its native size, as in classification. The term of the features, q . f, is called the structure. It is computed at the
encoder's size and interpolated to the image's pixels, with three effects. Structure appears at the scale of the
classifier's input, while edges stay as sharp as the colors. The cost of the network does not depend on the size of the
image. Any part of the image can be indexed by itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, cast

import torch
from torch import Tensor, nn

from models.networks.centers import ROUNDS, Centers, kmeans_centers
from models.networks.classifiers import ClassifierConfig, build_classifier
from models.networks.config import NetworkConfig
from models.networks.decoder import Decoder
from models.networks.palette import HardResult, SoftResult, hard_palette, render_soft, soft_palette
from models.networks.plan import Plan

DECODER_WIDTHS = (32, 48, 80, 128)
"""Channels of the decoder, finest level first; the network uses as many levels as its encoder has stages."""

_QUERY_INPUTS = 9
_BITS_WITHOUT_GAIN = 3
_LARGEST_SHIFT = 8  # pixels; the smallest networks see 16

# Values of newer fields that change nothing.
_UNUSED = {"subpixel": 0, "structure_gain": 1.0, "view_shifts": (2,), "view_scales": (1.0,)}

# Field names in checkpoints of older versions, and the present names.
_FORMER_NAMES = {"fade": "structure_cutoff", "strengths": "structure_scales"}


@dataclass(frozen=True, kw_only=True)
class ColorCNNConfig(NetworkConfig):
    """Configuration of a network, as a checkpoint stores it.

    encoder: configuration of the frozen classifier.
    widths: channels of the decoder, finest level first, one for each stage of the encoder.
    subpixel: channels of the decoder's sub-pixel branch; 0 for none.
    features: length of a pixel's feature vector and of a query.
    hidden: units in each of the two hidden layers of the query MLP.
    structure_cutoff: (first, last) numbers of colors. Up to `first` structure has its full weight, from `last` on none;
        in between the weight falls linearly in log2 K. None gives structure its full weight at every K.
    structure_gain: factor of the structure at K = 2, for a trained network that is better with more or less of it. The
        factor is 1 from K = 8 on; in between its logarithm falls linearly in log2 K.
    rounds: iterations of the k-means that finds the color centers.
    structure_scales: factors of the structure to try for each image, see `models.quantizers.learned.search`; a single
        factor is applied without a search.
    view_shifts: distances in pixels of the shifted views that the search goes on with, eight views for each.
    view_scales: factors of the structure of such a view to try.

    Raises ValueError for a value out of range.
    """

    encoder: ClassifierConfig
    widths: tuple[int, ...] = DECODER_WIDTHS
    subpixel: int = 0
    features: int = 32
    hidden: int = 64
    structure_cutoff: tuple[int, int] | None = None
    structure_gain: float = 1.0
    rounds: int = ROUNDS
    structure_scales: tuple[float, ...] = (1.0,)
    view_shifts: tuple[int, ...] = (2,)
    view_scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.structure_cutoff is not None and not 2 <= self.structure_cutoff[0] < self.structure_cutoff[1]:
            raise ValueError(f"structure_cutoff must be two rising numbers of colors, not {self.structure_cutoff}")
        if negative := next((name for name in ("rounds", "subpixel") if getattr(self, name) < 0), None):
            raise ValueError(f"{negative} must be 0 or more, not {getattr(self, negative)}")
        if not 0 < self.structure_gain < math.inf:
            raise ValueError(f"structure_gain must be a number above 0, not {self.structure_gain}")
        for name in ("structure_scales", "view_scales"):
            scales = getattr(self, name)
            if not scales or not all(0 <= scale < math.inf for scale in scales):
                raise ValueError(f"{name} must be one or more numbers >= 0, not {scales}")
        if not all(1 <= shift <= _LARGEST_SHIFT for shift in self.view_shifts):
            raise ValueError(f"view_shifts must be from 1 to {_LARGEST_SHIFT} pixels, not {self.view_shifts}")

    def gain(self, colors: int) -> float:
        """Return the factor of the structure at K = `colors`; training has none."""
        return float(
            self.structure_gain ** max(0.0, (_BITS_WITHOUT_GAIN - math.log2(colors)) / (_BITS_WITHOUT_GAIN - 1))
        )

    def structure_weight(self, colors: int) -> float:
        """Return the weight of structure at K = `colors`; at 0 the network is plain k-means."""
        if self.structure_cutoff is None:
            return self.gain(colors)
        first, last = map(math.log2, self.structure_cutoff)
        return self.gain(colors) * min(1.0, max(0.0, (last - math.log2(colors)) / (last - first)))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, the inverse of `from_json`.

        Fields that older runs do not have are left out where they change nothing, so that these runs can be resumed.
        """
        return {name: value for name, value in super().to_json().items() if _UNUSED.get(name) != value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build from JSON values, which contain the configuration of the encoder; see `NetworkConfig.from_json`.

        Accepts the field names of older checkpoints, `fade` and `strengths`. Raises TypeError also where a field has
        both its former and its present name.
        """
        renamed = {_FORMER_NAMES.get(name, name): value for name, value in values.items()}
        if len(renamed) < len(values):
            raise TypeError(f"a field has both its former and its present name: {', '.join(values)}")
        return super().from_json({**renamed, "encoder": ClassifierConfig.from_json(values.get("encoder", {}))})


class Description(NamedTuple):
    """What decoder and classifier compute of a view."""

    features: Tensor  # (B, F, s, s) float32, feature vector of each pixel
    logits: Tensor  # (B, classes) float32


class ColorCNN(nn.Module):
    """The network that the module's docstring describes.

    Training changes `decoder`, `queries` and `sharpness`; the encoder is frozen. All weights of a new network are
    fresh, including the encoder's, which the caller loads before use.
    """

    def __init__(self, config: ColorCNNConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_classifier(config.encoder).requires_grad_(False)
        self.decoder = Decoder(self.encoder, widths=config.widths, outputs=config.features, subpixel=config.subpixel)
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
        """Set training mode for all but the encoder, whose batch norm keeps the classifier's statistics."""
        super().train(mode)
        self.encoder.eval()
        return self

    def soft(self, images: Tensor, colors: int, temperature: float = 1.0) -> SoftResult:
        """Quantize with index probabilities, differentiably: equations 1 and 2 of the paper.

        Args:
            images: (B, 3, s, s) float32 in [0, 1] at the encoder's size s; ValueError for another size.
            colors: K.
            temperature: divisor of the index logits, above 0; the lower, the nearer the images are to those of `hard`.
        """
        probabilities = (self._native_plan(images, colors).index_logits(images) / temperature).softmax(1)
        palette = soft_palette(images, probabilities)
        return SoftResult(render_soft(palette, probabilities), palette, probabilities)

    @torch.no_grad()
    def hard(self, images: Tensor, colors: int) -> HardResult:
        """Quantize with the most probable index of each pixel. images, colors and errors are those of `soft`."""
        indices = self._native_plan(images, colors).indices(images).long()
        return HardResult(indices, *hard_palette(images, indices, colors))

    def describe(self, view: Tensor) -> Description:
        """Compute features and logits of a view in one pass of the encoder. view: (B, 3, s, s) float32 in [0, 1]."""
        maps = self.encoder.features(view)
        logits = self.encoder.head(maps[-1].mean((2, 3)))
        return Description(self.decoder(view, maps).float(), logits.float())

    def classify(self, view: Tensor) -> Tensor:
        """Compute the encoder's logits, (B, classes) float32. view: (B, 3, s, s) float32 in [0, 1]."""
        return cast(Tensor, self.encoder(view).float())

    def plan(
        self, view: Tensor, pixels: Tensor | Sequence[Tensor], colors: int, features: Tensor | None = None
    ) -> Plan:
        """Compute everything that depends on the whole image; above the structure cutoff, only the k-means runs.

        Args:
            view: (B, 3, s, s) float32 in [0, 1], the images scaled to the encoder's size s.
            pixels: (B, N, 3) float32 in [0, 1], all pixels of the images or a sample of them; or a sequence of such
                tensors for consecutive images with other N, whose lengths add up to B.
            colors: K, 2 to 256.
            features: features of the view where they are known; see `describe`.
        """
        sets = [pixels] if isinstance(pixels, Tensor) else pixels
        centers = Centers.join(kmeans_centers(each, colors, self.config.rounds) for each in sets)
        weight = self.config.structure_weight(colors)
        beta = (self.sharpness[0] + self.sharpness[1] * math.log2(colors) / 8).exp()
        scale = (beta / centers.spread).view(-1, 1, 1)
        # -|x - c|^2 = 2 x.c - |c|^2 - |x|^2, and |x|^2, the same for every k, changes neither softmax nor arg max.
        offsets = -scale * centers.colors.square().sum(2, keepdim=True)
        queries = weight * self.queries(_describe(centers)).float() if weight else None
        plan = Plan(None, 2 * scale * centers.colors, offsets, queries)
        return plan if queries is None else plan.see(self._features(view) if features is None else features)

    def _features(self, view: Tensor) -> Tensor:
        # No gradient is computed here unless the view needs one: the weights of the encoder are frozen.
        return cast(Tensor, self.decoder(view, self.encoder.features(view)).float())

    def _native_plan(self, images: Tensor, colors: int) -> Plan:
        """Plan images of the encoder's native size, which are their own views."""
        size = self.config.encoder.size
        if images.shape[2:] != (size, size):
            actual = " x ".join(map(str, images.shape[2:]))
            raise ValueError(f"images must be {size} x {size}, not {actual}; for another size, call plan()")
        return self.plan(images, images.flatten(2).transpose(1, 2), colors)


def build_colorcnn(config: ColorCNNConfig) -> ColorCNN:
    """Build the network with fresh weights from torch's global generator; the caller loads the encoder's weights."""
    return ColorCNN(config)


def _describe(centers: Centers) -> Tensor:
    """Compute the inputs of the query MLP, (B, K, 9), each of order 1.

    The inputs are color (3), color relative to the image (3), rank, share of the pixels and log2 K.
    """
    colors, shares, _ = centers
    count = colors.shape[1]
    weights = shares.unsqueeze(2)
    mean = (weights * colors).sum(1, keepdim=True)
    contrast = (weights * (colors - mean).square()).sum((1, 2), keepdim=True).sqrt().clamp_min(1e-3)
    rank = torch.linspace(-1, 1, count, device=colors.device).view(1, -1, 1).expand(len(colors), -1, 1)
    size = torch.full_like(rank, math.log2(count) / 4 - 1)
    return torch.cat([4 * colors - 2, (colors - mean) / contrast, rank, (weights * count).sqrt() - 1, size], 2)
