"""What a classifier says of an image."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prediction:
    """One class of an image: its label, its index among the classes and its probability in [0, 1]."""

    label: str
    index: int
    probability: float
