"""Range of the number of colors of a palette. This module imports nothing, so that clients can know it, too."""

MIN_COLORS = 2
"""Fewest colors that a quantizer is asked for."""
MAX_COLORS = 256
"""Most colors of a palette, because an index is one byte."""
