"""Options that name a dataset and its splits."""

import os
from pathlib import Path
from typing import Self

from pydantic import Field

from training.data.datasets import DATA_VARIABLE, DatasetError
from training.options import Count, Options


def default_folder() -> Path | None:
    """Return the folder that the environment variable COLORCNN_DATA names, if any."""
    value = os.environ.get(DATA_VARIABLE)
    return Path(value) if value else None


class DatasetName(Options):
    """Name of a dataset."""

    dataset: str | None = None
    """Name of the dataset in results and model cards, and of its folder where --data holds several; by default the name
    of the folder."""


class DataOptions(DatasetName):
    """Dataset that a command reads."""

    data: Path | None = Field(default_factory=default_folder)
    """Dataset folder with SPLIT-*.parquet files, or with SPLIT/CLASS/ folders of images; COLORCNN_DATA by default."""

    def located(self) -> Self:
        """Return the options with the folder of the dataset in `data` and the name of the dataset in `dataset`.

        Raises DatasetError if the folder does not exist.
        """
        folder = self.data
        if folder is not None and self.dataset and (folder / self.dataset).is_dir():
            folder = folder / self.dataset
        if folder is None or not folder.is_dir():
            named = f" {folder}" if folder else ""
            raise DatasetError(f"no dataset folder{named}: give --data FOLDER or set {DATA_VARIABLE}")
        return self.replace(data=folder, dataset=self.dataset or folder.resolve().name)

    @property
    def folder(self) -> Path:
        """Folder of the dataset; available after `located`."""
        if self.data is None:
            raise DatasetError(f"no dataset folder: give --data FOLDER or set {DATA_VARIABLE}")
        return self.data


class SplitOptions(Options):
    """Split of the original training images into a part for training and a part for selection."""

    held_out: Count | None = None
    """Training images that are kept for selection; by default 5000, or a fifth of fewer than 25,000 images, and at
    least one of each class."""
    train: Count | None = None
    """Number of the other training images to use; all by default."""
