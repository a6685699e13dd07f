"""Sub-pixel branch of the decoder, for an encoder whose finest stage is coarser than the pixels."""

from collections.abc import Iterable
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.classifiers import Classifier, Residual

_BLOCKS = 2


class SubPixelBranch(nn.Module):
    """Correction of each pixel's feature vector, computed at the stride of the encoder's finest stage.

    The pixels of a cell become its channels. Together with projections of all stages they pass residual blocks with
    pre-activation (He et al., ECCV 2016). A sub-pixel convolution (Shi et al., CVPR 2016) returns to the pixels, so a
    feature vector depends on the place of its pixel in the cell. Nearest-neighbor interpolation gives all pixels of a
    cell the same.

    The correction of a new branch is 0, so training can go on from a network without a branch.

    Args:
        encoder: the classifier whose stages are the inputs.
        channels: width of the branch.
        outputs: length of a feature vector.

    Raises ValueError where the encoder's size is no multiple of the stride.
    """

    def __init__(self, encoder: Classifier, *, channels: int, outputs: int) -> None:
        super().__init__()
        self.stride = encoder.strides[0]
        if encoder.size % self.stride:
            raise ValueError(f"a sub-pixel branch needs a size that is a multiple of {self.stride}, not {encoder.size}")
        self.pixels = nn.Conv2d(3 * self.stride**2, channels, 3, padding=1)
        self.laterals = nn.ModuleList(nn.Conv2d(inputs, channels, 1) for inputs in encoder.channels)
        self.blocks = nn.Sequential(*(Residual(_body(channels)) for _ in range(_BLOCKS)))
        self.out = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            _zero(nn.Conv2d(channels, outputs * self.stride**2, 1)),
            nn.PixelShuffle(self.stride),
        )

    def forward(self, pixels: Tensor, maps: Iterable[Tensor]) -> Tensor:
        """Compute the corrections, (B, outputs, s, s).

        pixels: (B, 3, s, s), normalized. maps: outputs of the encoder's stages for the same view, finest first.
        """
        x = self.pixels(F.pixel_unshuffle(pixels, self.stride))
        for lateral, stage in zip(self.laterals, maps, strict=True):
            x = x + F.interpolate(lateral(stage), x.shape[2:], mode="nearest")
        return cast(Tensor, self.out(self.blocks(x)))


def _body(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(2):
        conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        layers += [nn.BatchNorm2d(channels), nn.ReLU(), conv]  # not in place: the shortcut needs the input
    return nn.Sequential(*layers)


def _zero(conv: nn.Conv2d) -> nn.Conv2d:
    for parameter in conv.parameters():
        nn.init.zeros_(parameter)
    return conv
