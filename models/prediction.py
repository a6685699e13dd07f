"""The result of a classifier for one image."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prediction:
    """One class that a classifier assigns to an image.

    Attributes:
        label: name of the class.
        index: position of the class among the classes of the classifier, from 0.
        probability: in [0, 1].
    """

    label: str
    index: int
    probability: float
