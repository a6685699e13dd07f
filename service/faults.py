"""What an error of a network's run says of the device."""

from __future__ import annotations

import torch

from models.errors import NotFinite

# How torch begins what a CUDA library reports; after an error in a kernel all that follows fails, until a new process.
_SIGNS = ("CUDA error", "CUDA driver error", "cuDNN error")


def is_broken(error: Exception) -> bool:
    """Whether the device can be trusted no more."""
    if isinstance(error, NotFinite | torch.AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and str(error).startswith(_SIGNS)


def is_out_of_memory(error: Exception) -> bool:
    """Whether there was only too little memory for this."""
    return isinstance(error, torch.OutOfMemoryError)
