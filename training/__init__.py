"""Offline scripts: they read datasets and write checkpoints, and serve nothing."""

import time

# Here, since it runs before anything slow is imported; `--minutes` counts from it.
STARTED = time.monotonic()
"""When this process began, in seconds of time.monotonic()."""
