"""The index of the largest logit, for which torch.argmax on a CPU takes ten times as long as for the logits themselves.

Logits are made and looked at a piece at a time, so that they never reach the memory: a pixel costs its index and no
more, however many colors there are.
"""

import torch
from torch import Tensor

_FEW = 8  # colors; up to here a plane of logits for each is looked at faster than a row of them for each pixel


def piece(device: torch.device) -> int:
    """Logits to have at a time: 1 MiB of float32, which stays in a CPU's cache; 64 MiB, which keep a GPU busy."""
    return 1 << 18 if device.type == "cpu" else 1 << 24


def arg_max_planes(logits: Tensor) -> Tensor:
    """(B, K, ...) float32, K at most 256 -> (B, ...) uint8, the first of the largest; quick for logits in the cache."""
    if logits.device.type != "cpu":
        return logits.argmax(1).to(torch.uint8)
    first, *others = logits.unbind(1)
    largest, found = first.clone(), torch.zeros_like(first, dtype=torch.uint8)
    for index, plane in enumerate(others, 1):
        found.masked_fill_(plane > largest, index)
        torch.maximum(largest, plane, out=largest)
    return found


@torch.no_grad()
def arg_max_affine(vectors: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """Which weights . x + offsets is the largest; of equal ones the first. In float32 under autocast too.

    Args:
        vectors: x, (B, N, C) float32.
        weights: (B, K, C) float32, K at most 256.
        offsets: (B, K, 1) float32.

    Returns:
        (B, N) uint8. Beside it there is a `piece` of logits.
    """
    (_, length, _), colors = vectors.shape, weights.shape[1]
    sets = max(1, piece(vectors.device) // (length * colors))
    step = max(1, piece(vectors.device) // (sets * colors))
    with torch.autocast(vectors.device.type, enabled=False):
        groups = zip(vectors.split(sets), weights.split(sets), offsets.split(sets), strict=True)
        # One room for all pieces: fresh memory costs more than the logits in it.
        room = vectors.new_empty(min(sets, len(vectors)) * min(step, length) * colors)
        found = [[_arg_max_products(part, w, o, room) for part in group.split(step, 1)] for group, w, o in groups]
        return torch.cat([torch.cat(parts, 1) for parts in found])


def _arg_max_products(vectors: Tensor, weights: Tensor, offsets: Tensor, room: Tensor) -> Tensor:
    (sets, length, _), colors = vectors.shape, weights.shape[1]
    logits = room[: sets * length * colors]
    if colors <= _FEW or vectors.device.type != "cpu":
        return arg_max_planes(torch.baddbmm(offsets, weights, vectors.mT, out=logits.view(sets, colors, length)))
    rows = torch.baddbmm(offsets.mT, vectors, weights.mT, out=logits.view(sets, length, colors))
    return torch.from_numpy(rows.numpy().argmax(2)).to(torch.uint8)  # NumPy looks along a row in vector instructions
