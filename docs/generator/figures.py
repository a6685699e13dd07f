"""Figures in docs/results/figures: drawn from reports, compared by the numbers and words that they show.

Pixels alone cannot tell: a line that moves by two points changes too few of them, and another version of Matplotlib
changes as many. So each file has the hash of what it shows.
"""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from docs.generator.reports import FIGURES, figures_of
from models.report.plots import png

_CONTENT = "Content"  # keyword of the text chunk with the hash
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
    return _marked(figures_of(names)[ending])


def is_fresh(names: str, ending: str) -> bool:
    """Return whether the stored figure shows the present report, and looks like a figure drawn from it."""
    file, figure = figure_file(names, ending), figures_of(names)[ending]
    if not file.is_file():
        return False
    with Image.open(file) as stored:
        if stored.info.get(_CONTENT) != _content(figure):
            return False
    return _alike(file.read_bytes(), png(figure))


def _marked(figure: Figure) -> bytes:
    marked, text = io.BytesIO(), PngInfo()
    text.add_text(_CONTENT, _content(figure))
    with Image.open(io.BytesIO(png(figure))) as picture:
        picture.save(marked, "PNG", optimize=True, pnginfo=text)
    return marked.getvalue()


def _content(figure: Figure) -> str:
    """Return the SHA-256 of the lines of a figure and their names, as 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(_lines(figure)).encode()).hexdigest()


def _lines(figure: Figure) -> Iterator[str]:
    for axes in figure.axes:
        for line in axes.lines:
            numbers = np.asarray(line.get_xydata(), float).ravel()
            yield " ".join([str(line.get_label()), *(f"{number:.6g}" for number in numbers)])


def _alike(stored: bytes, now: bytes) -> bool:
    left, right = (np.asarray(Image.open(io.BytesIO(data)).convert("L"), dtype=np.int16) for data in (stored, now))
    return left.shape == right.shape and float(np.abs(left - right).mean()) < _TOLERANCE
