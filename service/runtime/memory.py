"""What the C library keeps of the memory that was freed."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# Of glibc's malloc.h.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_ARENAS = 2
_OWN_MAPPING = 1 << 20  # bytes


def limit_arenas() -> None:
    """Have glibc, where it is glibc, give freed memory back; to be called before there are threads.

    It gives each thread a heap of its own, up to eight a core, and each keeps the most that it ever held; what is freed
    in its midst stays as well, of up to 32 MiB a piece. With worker threads and images of all sizes, the memory of a
    busy service then grows for a long time. So: two heaps for all, and large arrays in mappings of their own.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library, or another way to find it
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, _ARENAS)
        library.mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING)
