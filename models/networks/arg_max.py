"""Index of the largest logit, faster than torch.argmax, which takes ten times as long on a CPU as computing the logits.

Logits are computed and searched a chunk at a time, so that they stay in the cache. For any number of colors, only the
index of a pixel remains in memory.
"""

import torch
from torch import Tensor

_FEW_COLORS = 16  # up to this number, a search over planes (one a color) is faster than one over rows (one a pixel)


def chunk_size(device: torch.device) -> int:
    """Return the number of logits to hold at a time: 1 MiB of float32 for a CPU's cache, 64 MiB to keep a GPU busy."""
    return 1 << 18 if device.type == "cpu" else 1 << 24


def arg_max_planes(logits: Tensor) -> Tensor:
    """Return the index of the largest logit, the first of equal ones; fast for logits that are in the cache.

    logits: (B, K, ...) float32, K at most 256. Returns (B, ...) uint8.
    """
    if logits.device.type != "cpu":
        return logits.argmax(1).to(torch.uint8)
    first, *others = logits.unbind(1)
    largest = first.clone(memory_format=torch.contiguous_format)
    indices = torch.zeros(first.shape, dtype=torch.uint8)
    larger = torch.empty(first.shape, dtype=torch.bool)
    candidates = larger.view(torch.uint8)  # a view for the product below
    for index, plane in enumerate(others, 1):
        # A masked assignment has no vector instructions; a product and a maximum have them, and indices only rise.
        torch.gt(plane, largest, out=larger)
        torch.maximum(indices, candidates.mul_(index), out=indices)
        torch.maximum(largest, plane, out=largest)
    return indices


@torch.no_grad()
def arg_max_affine(vectors: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """Return the index of the largest of weights . x + offsets, the first of equal ones; autocast does not apply.

    Args:
        vectors: x, (B, N, C) float32.
        weights: (B, K, C) float32, K at most 256.
        offsets: (B, K, 1) float32.

    Returns:
        (B, N) uint8. In addition to the result, memory holds `chunk_size` logits.
    """
    (_, length, _), colors = vectors.shape, weights.shape[1]
    sets = max(1, chunk_size(vectors.device) // (length * colors))
    step = max(1, chunk_size(vectors.device) // (sets * colors))
    with torch.autocast(vectors.device.type, enabled=False):
        groups = zip(vectors.split(sets), weights.split(sets), offsets.split(sets), strict=True)
        # One buffer for all chunks: fresh memory costs more time than computing the logits.
        buffer = vectors.new_empty(min(sets, len(vectors)) * min(step, length) * colors)
        indices = [[_arg_max_products(part, w, o, buffer) for part in group.split(step, 1)] for group, w, o in groups]
        return torch.cat([torch.cat(parts, 1) for parts in indices])


def _arg_max_products(vectors: Tensor, weights: Tensor, offsets: Tensor, buffer: Tensor) -> Tensor:
    (sets, length, _), colors = vectors.shape, weights.shape[1]
    logits = buffer[: sets * length * colors]
    if colors <= _FEW_COLORS or vectors.device.type != "cpu":
        return arg_max_planes(torch.baddbmm(offsets, weights, vectors.mT, out=logits.view(sets, colors, length)))
    rows = torch.baddbmm(offsets.mT, vectors, weights.mT, out=logits.view(sets, length, colors))
    return torch.from_numpy(rows.numpy().argmax(2)).to(torch.uint8)  # NumPy searches a row with vector instructions
