"""Hyper-parameters that all trainers share."""

from training.data.options import DatasetName, SplitOptions
from training.options import Count


class Hyperparameters(DatasetName, SplitOptions):
    """Hyper-parameters of every training run."""

    epochs: Count = 20
    """Passes over the training images."""
    batch: Count = 128
    """Images per batch."""
    seed: int = 0
    """Seed of everything random."""
