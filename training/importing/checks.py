"""Checks of an imported classifier: shapes, finite logits, batches, gradient to the image, time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.networks.program import Maps, Program, ProgramConfig, Step
from training.importing.graph import Graph, Rejected, first_line
from training.importing.simplify import build

_TOLERANCE = 1e-3  # of the spread of the logits; rounding in float32 stays a hundred times below it
_RUNS = 5
_POOLING = ("adaptive_avg_pool2d", "_adaptive_avg_pool2d", "avg_pool2d", "mean")


@dataclass(frozen=True)
class Measurement:
    """What the checks found. logits: number of classes. milliseconds: median time for one image on this machine."""

    logits: int
    milliseconds: float


def check(program: Program, *, where: str = "the program") -> Measurement:
    """Check a classifier on its own device. Raises Rejected, which names the first check that fails."""
    images = _images(program, 2)
    logits = _run(program, images, where)
    if logits.ndim != 2 or len(logits) != 2:
        raise Rejected(
            f"{where} returns {tuple(logits.shape)} for 2 images, not (2, classes); export a classifier that returns "
            "logits"
        )
    if not logits.is_floating_point() or not bool(logits.isfinite().all()):
        raise Rejected(f"{where} returns logits that are not finite numbers; its weights are damaged")
    alone = torch.cat([_run(program, image, where) for image in images.split(1)])
    spread = float(logits.max() - logits.min()) or 1.0
    if alone.shape != logits.shape or float((alone - logits).abs().max()) > _TOLERANCE * spread:
        raise Rejected(
            f"{where} gives an image other logits in a batch of 2 than alone; export the model in evaluation mode, "
            "with a batch of any size"
        )
    _check_gradient(program, images, where)
    return Measurement(logits.shape[1], _milliseconds(program, images[:1]))


def find_maps(graph: Graph, config: ProgramConfig) -> Maps | None:
    """Return where activation maps of a program come from; None where no result is pooled over height and width."""
    program = build(graph, config)
    images = _images(program, 3)
    pooled: list[tuple[str, int]] = []
    results: dict[str, Tensor] = {}

    def record(step: Step, values: dict[str, object]) -> None:
        for name in step.outputs:
            value = values[name]
            if isinstance(value, Tensor) and value.ndim == 4 and value.is_floating_point():
                results[name] = value

    with torch.no_grad():
        program.observe(images, record)
    for step in graph.steps:
        source = step.arguments[0] if step.arguments else None
        if step.operator.split(".")[1] in _POOLING and isinstance(source, dict) and source.get("value") in results:
            axis = _channel_axis(step, results[source["value"]].shape)
            if axis is not None:
                pooled.append((source["value"], axis))
    if not pooled:
        return None
    name, axis = pooled[-1]
    maps = Maps(name, axis, None)
    return replace(maps, head=_linear_head(program, graph, maps, images))


def _channel_axis(step: Step, shape: Sequence[int]) -> int | None:
    """Return the axis of the channels where a step pools all of height and width, each of two cells or more."""
    axes = step.arguments[1] if len(step.arguments) > 1 else None
    if "mean" in step.operator:
        pooled = {axis % 4 for axis in axes} if isinstance(axes, list) else set()
        found = 1 if pooled == {2, 3} else 3 if pooled == {1, 2} else None
    else:
        whole = axes in ([1, 1], 1) if "adaptive" in step.operator else axes in ([shape[2], shape[3]], [shape[2]])
        found = 1 if whole else None
    spatial = (shape[2], shape[3]) if found == 1 else (shape[1], shape[2])
    return found if min(spatial) > 1 else None


@torch.no_grad()
def _linear_head(program: Program, graph: Graph, maps: Maps, images: Tensor) -> str | None:
    """Return the weight of the layer that maps the mean of the features to logits; None for another function."""
    features, logits = program.results(images, (maps.features, program.config.output))
    means = features.mean((2, 3) if maps.channels == 1 else (1, 2))
    spread = (logits - logits[:1]).abs().max()
    for name, weight in graph.weights.items():
        if weight.shape == (logits.shape[1], means.shape[1]):
            rest = logits - means @ weight.T  # equal for all images where it is the bias
            if (rest - rest[:1]).abs().max() <= _TOLERANCE * spread:
                return name
    return None


def _images(program: Program, count: int) -> Tensor:
    """Return images that differ much: a gradient, noise, and a gray image."""
    size = program.size
    ramp = torch.linspace(0, 1, size).expand(3, size, size)
    noise = torch.rand(3, size, size, generator=torch.Generator().manual_seed(0))
    return torch.stack([ramp * torch.tensor([1.0, 0.6, 0.2]).view(3, 1, 1), noise, torch.full_like(ramp, 0.5)])[:count]


@torch.no_grad()
def _run(program: Program, images: Tensor, where: str) -> Tensor:
    try:
        logits = program(images)
    except (RuntimeError, TypeError, ValueError, IndexError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        shape = f"({len(images)}, 3, {program.size}, {program.size})"
        raise Rejected(
            f"{where} fails on images of {shape} ({reason:.200}); check `size` in the description"
        ) from error
    if not isinstance(logits, Tensor):
        raise Rejected(f"{where} returns no tensor of logits")
    return logits


def _check_gradient(program: Program, images: Tensor, where: str) -> None:
    leaf = images.clone().requires_grad_()
    try:
        (slope,) = torch.autograd.grad(program(leaf).float().log_softmax(1)[:, 0].sum(), leaf)
    except RuntimeError as error:
        raise Rejected(f"{where} has no gradient to the image ({first_line(error)})") from error
    if not bool(slope.isfinite().all()) or not bool(slope.any()):
        raise Rejected(f"{where} has no finite gradient to the image, which differs from 0")


@torch.no_grad()
def _milliseconds(program: Program, image: Tensor) -> float:
    times = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        program(image)
        times.append(time.perf_counter() - started)
    return 1000 * sorted(times)[_RUNS // 2]
