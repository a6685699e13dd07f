"""Hyper-parameters that all trainers share."""

from typing import Self

from training.data.datasets import LabeledImages
from training.data.options import DatasetName, SplitOptions
from training.loop.log import Log
from training.options import Count


class Hyperparameters(DatasetName, SplitOptions):
    """Hyper-parameters of every training run."""

    epochs: Count = 20
    """Passes over the training images."""
    batch: Count = 128
    """Images per batch, or all training images where there are fewer."""
    seed: int = 0
    """Seed of everything random."""

    def fitted(self, data: LabeledImages, log: Log) -> Self:
        """Return the options with the held-out part and the batch that suit the images, and log both.

        Raises DatasetError for images of a single class, or a class with a single image.
        """
        data.require_trainable()
        held_out = self.held_out or data.default_held_out()
        return self.replace(held_out=held_out).with_batch(min(self.train or len(data), len(data) - held_out), log)

    def with_batch(self, train: int, log: Log) -> Self:
        """Return the options with a batch of at most the `train` images that each process trains on, and log both."""
        batch = min(self.batch, max(1, train // log.workers.count))
        log.announce("data", train=train, held_out=self.held_out, batch=batch)
        return self.replace(batch=batch)
