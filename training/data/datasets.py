"""Labeled images as one tensor, from Parquet files or from folders of images; see training.data.layouts for both."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from statistics import fmean
from typing import Self

import numpy as np
import torch
from torch import Tensor

from models.decoding.decode import decode
from models.errors import ColorCNNError
from models.files import write_atomically
from models.rgb import resize
from models.threads import available_cpus
from training.data import layouts
from training.data.layouts import DatasetError as DatasetError
from training.data.layouts import ImageTable, find
from training.extras import pyarrow

DATA_VARIABLE = "COLORCNN_DATA"
_HELD_OUT = 5000
_HELD_OUT_SHARE = 5  # of fewer images, one in five
_SPLIT_SEED = 0


@dataclass(frozen=True)
class LabeledImages:
    """Images (N, 3, S, S) uint8 sRGB and labels (N,) int64 in [0, len(classes)), on the same device."""

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: Tensor) -> Self:
        """Return the rows with these numbers, (n,) int64, in the given order."""
        return replace(self, images=self.images[rows], labels=self.labels[rows])

    def to(self, device: torch.device) -> Self:
        """Return the images on another device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def require_classes(self, classes: tuple[str, ...]) -> None:
        """Raise DatasetError unless the classes are the given ones, in the same order."""
        layouts.require_classes(self.classes, classes)

    def require_trainable(self) -> None:
        """Raise DatasetError unless images of two classes or more are present, and none of these has a single image."""
        counts = torch.bincount(self.labels, minlength=len(self.classes)).tolist()
        present = {name: count for name, count in zip(self.classes, counts, strict=True) if count}
        if len(present) < 2:
            raise DatasetError(f"all images are of one class, {', '.join(present)}: add images of a second class")
        if lonely := [name for name, count in present.items() if count == 1]:
            raise DatasetError(
                f"{', '.join(lonely[:20])}: only one image; a class needs one for training and another to hold out"
            )

    def default_held_out(self) -> int:
        """Return how many images to hold out: 5000, or a fifth of few images, and at least one of each class."""
        return _default_held_out(self.labels)

    def hold_out(self, count: int | None, *, keep: int | None = None) -> tuple[Self, Self]:
        """Split into a part for training and `count` images for selection, as `hold_out_rows` does."""
        train, held_out = hold_out_rows(self.labels, count, keep=keep)
        return self.select(train), self.select(held_out)


def hold_out_rows(labels: Tensor, count: int | None, *, keep: int | None = None) -> tuple[Tensor, Tensor]:
    """Split images into a part for training and `count` images for selection; returns the numbers of both.

    The split is random but does not depend on the seed of the run. Images that are held out from a quantizer must
    also have been held out from its classifier. Where chance would leave a class out of either part, the classes
    are held out in proportion.

    Args:
        labels: (N,) int64, of all images.
        count: None for 5000, or a fifth of few images, and at least one of each class.
        keep: number of training images to keep, at random; None for all.

    Raises DatasetError where there are too few images.
    """
    count = _default_held_out(labels) if count is None else count
    if not 0 < count < len(labels):
        raise DatasetError(f"cannot hold out {count} of {len(labels)} training images; choose another --held-out")
    order = _split_order(labels, count).to(labels.device)
    if keep is not None and not 0 < keep <= len(labels) - count:
        raise DatasetError(f"cannot train on {keep} of {len(labels) - count} images; choose another --train")
    return order[count:][:keep], order[:count]


def _default_held_out(labels: Tensor) -> int:
    return min(_HELD_OUT, max(len(labels) // _HELD_OUT_SHARE, len(labels.unique())))


def _split_order(labels: Tensor, count: int) -> Tensor:
    """Return all row numbers, (N,) int64, those of the `count` held-out images first."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(_SPLIT_SEED))
    labels = labels.cpu()[order]
    held_out, rest = set(labels[:count].tolist()), set(labels[count:].tolist())
    if held_out == rest or count < len(held_out | rest):
        return order
    shares = torch.empty(len(labels))  # of the images of its class, how many precede an image
    for label in held_out | rest:
        same = labels == label
        shares[same] = torch.arange(int(same.sum())) / same.sum()
    return order[shares.argsort(stable=True)]


def load(folder: Path, split: str, *, size: int) -> LabeledImages:
    """Read one split, resized to `size` pixels on a side where needed.

    See `training.data.layouts.find` for the splits and for both layouts.
    """
    return read(find(folder, split), size)


def read(table: ImageTable, size: int) -> LabeledImages:
    """Read and decode images as the service does, so that training and use see the same pixels.

    size: side in pixels, to which images are resized where needed. Raises DatasetError for a file that is no image.
    """
    pixels = np.empty((len(table), size, size, 3), np.uint8)

    def decode_one(number: int, name: str, file: Callable[[], bytes]) -> None:
        try:
            pixels[number] = resize(decode(file()).pixels, size)
        except ColorCNNError as error:
            raise DatasetError(f"{name}: {error}") from error

    with ThreadPoolExecutor(available_cpus()) as pool:
        list(pool.map(lambda image: decode_one(*image), table.files()))
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    return LabeledImages(images, torch.from_numpy(table.labels), table.classes)


def write_part(file: Path, files: Sequence[bytes], data: LabeledImages) -> None:
    """Write image files and the labels of `data` into a Parquet file that `load` reads, with classes.json beside it.

    Other processes see either no file or the complete file.
    """
    pa = pyarrow()
    names = [{"index": index, "name": name} for index, name in enumerate(data.classes)]
    write_atomically(file.parent / "classes.json", (json.dumps(names) + "\n").encode())
    images = [{"bytes": content, "path": None} for content in files]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(images, kind), "label": pa.array(data.labels.tolist(), pa.int64())}
    buffer = BytesIO()
    pa.parquet.write_table(pa.table(columns), buffer)
    write_atomically(file, buffer.getvalue())


def mean_file_size(folder: Path, split: str, count: int | None = None) -> float:
    """Return the mean bytes of the image files of a split in Parquet files, over all or the first `count`."""
    table = find(folder, split)
    first = table.select(np.arange(len(table))[:count])
    return fmean(len(file()) for _, _, file in first.files())
