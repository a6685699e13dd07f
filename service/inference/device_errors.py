"""Errors of the device: too little memory, and failures after which its results cannot be trusted."""

from __future__ import annotations

import sys

from models.errors import NotFinite
from service.errors import OutOfMemory

# Beginnings of the messages that torch raises for errors of CUDA libraries. After an error in a kernel, every call
# fails until the process ends.
_BROKEN_PREFIXES = ("CUDA error", "CUDA driver error", "cuDNN error")
_MEMORY_MESSAGES = ("out of memory", "ALLOC_FAILED", "can't allocate memory")


def is_out_of_memory(error: Exception) -> bool:
    """Return whether the GPU or the host had too little memory, and nothing else failed."""
    if isinstance(error, (*_of_torch("OutOfMemoryError"), MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MEMORY_MESSAGES)


def is_broken(error: Exception) -> bool:
    """Return whether the device can no longer be trusted."""
    if is_out_of_memory(error):
        return False
    if isinstance(error, (*_of_torch("AcceleratorError"), NotFinite)):
        return True
    return isinstance(error, RuntimeError) and str(error).startswith(_BROKEN_PREFIXES)


def _of_torch(name: str) -> tuple[type[Exception], ...]:
    """Return a class of torch; none where nobody has imported torch, which takes seconds."""
    torch = sys.modules.get("torch")
    return (getattr(torch, name),) if torch else ()


def out_of_memory() -> OutOfMemory:
    """Return the error for a request whose image does not fit into the memory of the device."""
    return OutOfMemory("The device has too little memory left for the image; a smaller one may fit.")
