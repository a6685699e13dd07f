"""Limits on the memory that the C library keeps after it is freed."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# Parameters of mallopt, from glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_ARENAS = 2
_MAPPED_BYTES = 1 << 23  # an allocation of this size gets a mapping of its own, which is unmapped when freed
_KEPT_BYTES = 1 << 26  # at the end of an arena, which would otherwise shrink and grow with each layer of a network


def limit_arenas() -> None:
    """Make glibc return freed memory to the system. Call this before the first thread starts.

    By default, glibc gives each thread an arena, up to eight per core, and an arena keeps its peak memory. Blocks of up
    to 32 MiB that are freed in the middle of an arena stay there. With worker threads and images of all sizes, the
    memory of a busy service would grow for a long time. This function sets two arenas for all threads, and mappings
    for large arrays. The maps between the layers of a network are smaller: with a mapping for each of them, the system
    would fill every page of theirs with zeros, layer by layer. With another C library, it does nothing.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library, or a platform that loads it differently
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, _ARENAS)
        library.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def trim() -> None:
    """Return the freed pages of all arenas to the system; with another C library, do nothing.

    Between blocks that are still in use, an arena keeps what was freed. With images of all sizes, these gaps hold as
    much memory as everything in use, and grow slowly. glibc returns their pages only when it is asked to. That takes
    some milliseconds, in which another thread may wait for memory.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
