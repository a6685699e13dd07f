"""What an error of a network's run says of the device."""

from __future__ import annotations

import torch

from models.errors import NotFinite
from service.errors import OutOfMemory

# How torch begins what a CUDA library reports; after an error in a kernel all that follows fails, until a new process.
_SIGNS = ("CUDA error", "CUDA driver error", "cuDNN error")


_SIGNS_OF_MEMORY = ("out of memory", "ALLOC_FAILED", "can't allocate memory")


def is_out_of_memory(error: Exception) -> bool:
    """Whether there was only too little memory for this, on a GPU or beside it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS_OF_MEMORY)


def is_broken(error: Exception) -> bool:
    """Whether the device can be trusted no more."""
    if is_out_of_memory(error):
        return False
    if isinstance(error, NotFinite | torch.AcceleratorError):
        return True
    return isinstance(error, RuntimeError) and str(error).startswith(_SIGNS)


def out_of_memory() -> OutOfMemory:
    """What to answer then."""
    return OutOfMemory("The device has too little memory left for the image; a smaller one may fit.")
