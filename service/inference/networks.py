"""Loading and warming of the networks behind a registry's models: one loader for each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch

from models.errors import ColorCNNError
from models.names import REFINED_QUICKLY, ModelKind
from models.networks.prefilter import Prefilter
from models.quantizers.base import MAX_COLORS, MIN_COLORS, Backdrop
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.quantizers.learned.prefiltering import load_prefilter, predict_change
from models.quantizers.learned.published import PublishedQuantizer, load_published
from models.quantizers.learned.refined import RefinedQuantizer, photograph_mapping
from models.recognizer import Recognizer, load_recognizer
from models.rgb import Pixels
from models.zoo.manifest import ModelEntry
from models.zoo.registry import Registry
from service.schemas.fields import Rgb

Network = Recognizer | LearnedQuantizer | PublishedQuantizer | Prefilter

_LOADERS: Mapping[ModelKind, Callable[[Registry, str, torch.device], Network]] = MappingProxyType(
    {
        ModelKind.CLASSIFIER: load_recognizer,
        ModelKind.COLORCNN: load_quantizer,
        ModelKind.COLORCNN_PUBLISHED: load_published,
        ModelKind.PREFILTER: load_prefilter,
    }
)

# Batch sizes that networks are warmed with where kernels are selected by shape: one image, the two views of a request
# to /quantize, a full batch.
_WARM_BATCHES = (1, 2, 64)
_WARM_PIXELS = 1 << 17  # the device runs no larger batch
_WARM_PHOTO = (256, 512)
_WARM_THUMBNAIL = (64, 48)


class NoSuchDevice(ColorCNNError):
    """COLORCNN_DEVICE asks for a device that torch does not see."""


def pick_device(name: str) -> torch.device:
    """Return the torch device for a setting; "auto" is CUDA where there is one, else the CPU. Raises NoSuchDevice."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise NoSuchDevice(f"COLORCNN_DEVICE is {name}, but torch sees {torch.cuda.device_count()} CUDA devices.")
    return device


def load_network(registry: Registry, entry: ModelEntry, device: torch.device) -> Network:
    """Load the network of `entry` on `device`. Raises CorruptCheckpoint."""
    return _LOADERS[entry.kind](registry, entry.name, device)


def refined_quantizer(
    method: str,
    recognizers: tuple[Recognizer, ...],
    prefilter: Prefilter | None = None,
    *,
    fidelity: float = 0.0,
    dither: bool | None = None,
    palette: tuple[Rgb, ...] | None = None,
    backdrop: Backdrop | None = None,
) -> RefinedQuantizer:
    """Return the quantizer of one of PHOTOGRAPH_METHODS, which optimizes for the recognizers."""
    fixed = None if palette is None else np.array(palette, np.uint8)
    quick = method == REFINED_QUICKLY
    return RefinedQuantizer(recognizers, fidelity, dither, quick, prefilter, fixed, backdrop)


def selects_kernels_by_shape(device: torch.device) -> bool:
    """Return whether the first run on each shape is slow, because libraries select kernels and allocate memory then.

    On the CPU, a first photograph takes some 70 ms longer than the next, and a first batch some 10 ms.
    """
    return device.type != "cpu"


def warm_refined(quantizer: RefinedQuantizer) -> None:
    """Run the quantizer for photographs once, so that the first photograph is not slow."""
    quantizer.quantize(_noise(*_WARM_PHOTO), MIN_COLORS)


def warm(network: Network, entry: ModelEntry, *, every_shape: bool) -> None:
    """Run a network once, on one small image or on the shapes of all common requests."""
    if isinstance(network, Prefilter):
        photo = _noise(*(_WARM_PHOTO if every_shape else _WARM_THUMBNAIL))
        predict_change(network, photo, photograph_mapping(photo, MIN_COLORS, dither=True), MIN_COLORS, scale=1.0)
        return
    fewest, *others = sorted(set(entry.colors or (MIN_COLORS, MAX_COLORS)))
    if isinstance(network, PublishedQuantizer):
        network.quantize(_noise(*_WARM_THUMBNAIL), fewest)
    elif isinstance(network, Recognizer):
        _warm_classifier(network, _batches(network.size, every_shape))
    else:
        _warm_quantizer(network, fewest, _batches(network.size, every_shape))
        if every_shape:
            for colors in (fewest, *others):
                network.quantize(_noise(*_WARM_PHOTO), colors)
            for colors in others:
                _warm_quantizer(network, colors, (1,))


def _warm_classifier(classifier: Recognizer, batches: Sequence[int]) -> None:
    for count in batches:
        classifier.rank_batch(_noise(count, classifier.size, classifier.size), 1)
    if classifier.supports_maps:
        classifier.activation_map(_noise(*_WARM_THUMBNAIL), 0)


def _warm_quantizer(quantizer: LearnedQuantizer, colors: int, batches: Sequence[int]) -> None:
    for count in batches:
        quantizer.quantize_batch(_noise(count, quantizer.size, quantizer.size), colors)


def _batches(side: int, every_shape: bool) -> list[int]:
    """Return the batch sizes of square images of that side that requests lead to, or 1 alone."""
    return sorted({min(count, _WARM_PIXELS // side**2) for count in _WARM_BATCHES}) if every_shape else [1]


def _noise(*shape: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
