"""Atomic replacement of files."""

import os
import secrets
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write or replace a file; another process sees the old file or the new one, never a part.

    The file survives a power cut once the call returns. Raises OSError if the folder of `path` does not exist or the
    disk is full; the old file then stays. A process that is killed meanwhile leaves a hidden file, ".NAME.*.partial".
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Flush the folder to disk, because the folder holds the new name of the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
