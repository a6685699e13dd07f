"""What /compress does in a worker process, which for this imports no network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor


def encode_all(encodings: Sequence[Callable[[], bytes]]) -> list[bytes]:
    """The file that each encoding makes, each in a thread of its own: x265 leaves Python to others meanwhile."""
    with ThreadPoolExecutor(len(encodings)) as threads:
        files = [threads.submit(encoding) for encoding in encodings]
        return [file.result() for file in files]
