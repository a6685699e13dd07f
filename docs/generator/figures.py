"""Figures in docs/results/figures: drawn from reports, compared by their pixels."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from docs.generator.reports import FIGURES, figures_of
from models.report.plots import png

_TOLERANCE = 2.0
"""Mean difference of gray levels: another Matplotlib or FreeType draws the same letters a little differently."""


def figure_file(names: str, ending: str) -> Path:
    """Return the PNG file of a figure of a report, or of several read together; ValueError if it has no such figure."""
    known = figures_of(names)
    if ending not in known:
        raise ValueError(f"{names} has no figure {ending!r}, only {', '.join(known)}")
    return FIGURES / f"{names.partition('+')[0]}-{ending}.png"


def drawn(names: str, ending: str) -> bytes:
    """Return the figure as PNG, drawn from its report."""
    return png(figures_of(names)[ending])


def is_fresh(names: str, ending: str) -> bool:
    """Return whether the stored figure looks like the one that its report gives now."""
    file = figure_file(names, ending)
    return file.is_file() and _alike(file.read_bytes(), drawn(names, ending))


def _alike(stored: bytes, now: bytes) -> bool:
    left, right = (np.asarray(Image.open(io.BytesIO(data)).convert("L"), dtype=np.int16) for data in (stored, now))
    return left.shape == right.shape and float(np.abs(left - right).mean()) < _TOLERANCE
