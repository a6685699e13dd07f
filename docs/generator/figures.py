"""Figures in docs/results/figures: drawn from reports, compared by their pixels."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from docs.generator.reports import FIGURES, figures_of
from models.report.plots import png

_TOLERANCE = 2.0
"""Accepted mean difference in gray levels; versions of Matplotlib and FreeType draw letters slightly differently."""


def figure_file(names: str, ending: str) -> Path:
    """Return the PNG file of a figure of a report, or of several read together; ValueError for an unknown figure."""
    known = figures_of(names)
    if ending not in known:
        raise ValueError(f"{names} has no figure {ending!r}, only {', '.join(known)}")
    return FIGURES / f"{names.partition('+')[0]}-{ending}.png"


def drawn(names: str, ending: str) -> bytes:
    """Draw the figure from its report and return the PNG file."""
    return png(figures_of(names)[ending])


def is_fresh(names: str, ending: str) -> bool:
    """Return whether the stored figure looks like a figure drawn from the present report."""
    file = figure_file(names, ending)
    return file.is_file() and _alike(file.read_bytes(), drawn(names, ending))


def _alike(stored: bytes, now: bytes) -> bool:
    left, right = (np.asarray(Image.open(io.BytesIO(data)).convert("L"), dtype=np.int16) for data in (stored, now))
    return left.shape == right.shape and float(np.abs(left - right).mean()) < _TOLERANCE
