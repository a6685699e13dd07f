"""Models of the library timm, turned into exported programs. The service needs neither timm nor torchvision."""

import io
import sys
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import Any

import torch
from torch import nn

from models.zoo.registry import Registry
from training.importing.description import Description
from training.importing.graph import Graph, Rejected, first_line
from training.importing.pt2 import read_pt2

_IMAGENET = "imagenet-efficientnet-lite0"  # shipped classifier whose class names are those of ImageNet-1k
_MISSING_OPERATORS = ("nms", "qnms")
_libraries: list[torch.library.Library] = []  # a definition ends with its object


def import_timm() -> ModuleType:
    """Import timm. Raises Rejected where it is not installed.

    The torchvision of PyPI is compiled for CUDA. Beside a torch for the CPU its operators are missing, and its import
    fails. timm's models use none of these operators, so that their declaration is enough.
    """
    try:
        return _import()
    except ImportError as error:
        raise Rejected(f"--timm needs timm ({error}): pip install 'colorcnn-service[timm]'") from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise Rejected(f"timm cannot be imported ({error})") from error
    for name in [name for name in sys.modules if name.partition(".")[0] in ("timm", "torchvision")]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in _MISSING_OPERATORS:
        if not hasattr(torch.ops.torchvision, operator):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)
    return _import()


def _import() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import timm
    library: ModuleType = timm
    return library


def create(name: str, classes: int | None) -> nn.Module:
    """Return timm's model of that name with fresh weights, and with so many classes. Raises Rejected."""
    timm = import_timm()
    if not timm.is_model(name):
        similar = ", ".join(get_close_matches(name, timm.list_models())) or "none"
        raise Rejected(f"timm has no model {name!r:.80}; similar names: {similar}")
    options = {} if classes is None else {"num_classes": classes}
    model: nn.Module = timm.create_model(name, pretrained=False, **options)
    return model.eval().requires_grad_(False)


def describe(model: nn.Module) -> Description:
    """Return the preprocessing that timm records for a model."""
    config: Mapping[str, Any] = model.pretrained_cfg  # type: ignore[assignment]
    mode, share = config.get("crop_mode", "center"), float(config.get("crop_pct", 1.0))
    squeezes = mode == "squash" and share == 1.0
    known = squeezes or mode == "center"
    return Description(
        size=int(config["input_size"][-1]),
        resize=("squeeze" if squeezes else "crop") if known else None,
        crop=share if known and not squeezes else None,
        interpolation=config["interpolation"]
        if config["interpolation"] in ("bilinear", "bicubic", "lanczos")
        else None,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        classes=_imagenet_classes(model, config),
    )


def export(model: nn.Module, name: str, size: int) -> Graph:
    """Return the program of a model in evaluation mode, for a batch of any size. Raises Rejected."""
    images = torch.rand(2, 3, size, size)
    file = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
            torch.export.save(program, file)
    except Exception as error:  # torch raises errors of many kinds where a model cannot be exported
        raise Rejected(f"timm's {name} cannot be exported at {size}x{size} pixels ({first_line(error)})") from error
    return read_pt2(file.getvalue())


def _imagenet_classes(model: nn.Module, config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the names of ImageNet-1k where the published weights of the architecture have its classes."""
    classes = Registry.open().entry(_IMAGENET).classes
    tagged = str(config.get("tag") or "").endswith("in1k") or config.get("num_classes") == len(classes)
    return classes if tagged and getattr(model, "num_classes", None) == len(classes) else None
