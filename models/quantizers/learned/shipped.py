"""Quantizers with the networks that ship with the project, which are loaded once in each process."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import BadOption
from models.names import LEARNED_METHODS, REFINED, REFINED_CODE, REFINED_IN_ONE_PASS, REFINED_QUICKLY, ModelKind
from models.networks.prefilter import Prefilter
from models.quantizers.base import Backdrop, Quantizer
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.quantizers.learned.prefiltering import load_prefilter
from models.quantizers.learned.refined import RefinedQuantizer
from models.recognizer import Recognizer, load_recognizer
from models.zoo.registry import Registry


def is_classifier(model: str) -> bool:
    """Return whether the model of that name is a classifier. Raises UnknownModel."""
    return _registry().entry(model).kind is ModelKind.CLASSIFIER


def shipped_quantizer(
    method: str,
    model: str | None = None,
    *,
    device: str = "auto",
    fidelity: float = 0.0,
    transferable: bool = True,
    dither: bool | None = None,
    palette: NDArray[np.uint8] | None = None,
    backdrop: Backdrop | None = None,
) -> Quantizer:
    """Return the quantizer of a method that uses networks: one of LEARNED_METHODS or PHOTOGRAPH_METHODS.

    model: network or, for a method for photographs, classifier; None for the default one. device: "auto", "cpu", "cuda"
    or "cuda:<n>". The other options: see `RefinedQuantizer`; `fidelity` is also one of a network.

    Raises UnknownModel, also for a model of another kind, and BadOption.
    """
    registry, place = _registry(), _device(device)
    if method in LEARNED_METHODS:
        name = model or registry.default(ModelKind.COLORCNN).name
        quantizer = _network(name, place)
        if fidelity and not quantizer.supports_fidelity:
            raise BadOption(f"the model {name!r} does not support fidelity; leave it out")
        way = REFINED_CODE if method == REFINED and not transferable else method
        return replace(quantizer.for_method(way), fidelity=fidelity)
    chosen = model or registry.manifest.photograph_classifier or registry.default(ModelKind.CLASSIFIER).name
    one_pass = method == REFINED_IN_ONE_PASS
    names = registry.manifest.recognizers(chosen) if transferable and not one_pass else (chosen,)
    return RefinedQuantizer(
        tuple(_recognizer(name, place) for name in names),
        fidelity,
        dither,
        quick=method == REFINED_QUICKLY,
        prefilter=_prefilter(registry.manifest.prefilter(chosen), place) if one_pass else None,
        palette=palette,
        backdrop=backdrop,
    )


@cache
def _registry() -> Registry:
    return Registry.open(None)


@cache
def _recognizer(name: str, device: torch.device) -> Recognizer:
    return load_recognizer(_registry(), name, device)


@cache
def _network(name: str, device: torch.device) -> LearnedQuantizer:
    return load_quantizer(_registry(), name, device)


@cache
def _prefilter(name: str, device: torch.device) -> Prefilter:
    return load_prefilter(_registry(), name, device)


def _device(name: str) -> torch.device:
    """Return a device; "auto" is CUDA where there is one. Raises BadOption where torch sees no such device."""
    cuda = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise BadOption(f"there is no device {name!r}; use auto, cpu, cuda or cuda:<n>") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BadOption(f"device is {name!r}, but torch sees {torch.cuda.device_count()} CUDA devices; use cpu")
    return device
