"""Labeled images as one tensor, from Parquet files in the Hugging Face layout or from folders of images.

Parquet:  FOLDER/SPLIT-*.parquet with columns image {bytes, path} and label; FOLDER/classes.json names the classes.
Folders:  FOLDER/SPLIT/CLASS/*.png (or .jpg, ...); the sorted folder names are the classes. A folder without splits,
          FOLDER/CLASS/*.png, holds training images alone. Hidden files and folders are left out.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from itertools import islice
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
from training.extras import pyarrow

DATA_VARIABLE = "COLORCNN_DATA"
_SUFFIXES = frozenset({".bmp", ".bpg", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_HELD_OUT = 5000
_HELD_OUT_SHARE = 5  # of fewer images, one in five
_SPLIT_SEED = 0
_TEST_SPLITS = ("test", "validation", "val")
_SPLITS = ("train", "held_out", *_TEST_SPLITS)


class DatasetError(Exception):
    """Error for a dataset folder that cannot be read; the message names the folder and the expected files."""


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
        if self.classes != classes:
            ours, theirs = (", ".join(names[:20]) for names in (self.classes, classes))
            raise DatasetError(f"the data has the classes {ours}; the classifier knows {theirs}, in that order")

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
        return min(_HELD_OUT, max(len(self) // _HELD_OUT_SHARE, len(self.labels.unique())))

    def hold_out(self, count: int | None, *, keep: int | None = None) -> tuple[Self, Self]:
        """Split into a part for training and `count` images for selection; returns both in this order.

        The split is random but does not depend on the seed of the run. Images that are held out from a quantizer must
        also have been held out from its classifier. Where chance would leave a class out of either part, the classes
        are held out in proportion. count: None for `default_held_out`. keep: number of training images to keep, at
        random; None for all. Raises DatasetError where there are too few images.
        """
        count = self.default_held_out() if count is None else count
        if not 0 < count < len(self):
            raise DatasetError(f"cannot hold out {count} of {len(self)} training images; choose another --held-out")
        order = self._split_order(count).to(self.labels.device)
        if keep is not None and not 0 < keep <= len(self) - count:
            raise DatasetError(f"cannot train on {keep} of {len(self) - count} images; choose another --train")
        return self.select(order[count:][:keep]), self.select(order[:count])

    def _split_order(self, count: int) -> Tensor:
        """Return all row numbers, (N,) int64, those of the `count` held-out images first."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(_SPLIT_SEED))
        labels = self.labels.cpu()[order]
        held_out, rest = set(labels[:count].tolist()), set(labels[count:].tolist())
        if held_out == rest or count < len(held_out | rest):
            return order
        shares = torch.empty(len(self))  # of the images of its class, how many precede an image
        for label in held_out | rest:
            same = labels == label
            shares[same] = torch.arange(int(same.sum())) / same.sum()
        return order[shares.argsort(stable=True)]


def load(folder: Path, split: str, *, size: int) -> LabeledImages:
    """Read one split, resized to `size` pixels on a side where needed.

    split: "train", "held_out" or "test"; a test split may also be named validation or val. Raises DatasetError where
    the folder has neither layout.
    """
    for name in _TEST_SPLITS if split == "test" else (split,):
        if sorted(folder.glob(f"{name}-*.parquet")):
            return _load_parquet(folder, name, size)
        if (folder / name).is_dir():
            return _load_folder(folder / name, size)
    if split == "train" and not _has_splits(folder):
        return _load_folder(folder, size)
    raise DatasetError(f"no {split}-*.parquet and no folder {split}/ in {folder}; give the dataset folder with --data")


def write_part(file: Path, files: Sequence[bytes], data: LabeledImages) -> None:
    """Write image files and the labels of `data` into a Parquet file, in the layout above, with classes.json beside it.

    Other processes see either no file or the complete file.
    """
    pa = pyarrow()
    names = [{"index": index, "name": name} for index, name in enumerate(data.classes)]
    (file.parent / "classes.json").write_text(json.dumps(names) + "\n")
    images = [{"bytes": content, "path": None} for content in files]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(images, kind), "label": pa.array(data.labels.tolist(), pa.int64())}
    buffer = BytesIO()
    pa.parquet.write_table(pa.table(columns), buffer)
    write_atomically(file, buffer.getvalue())


def mean_file_size(folder: Path, split: str, count: int | None = None) -> float:
    """Return the mean bytes of the image files of a split in Parquet files, over all or the first `count`."""
    return fmean(len(data) for data, _ in islice(_parquet_rows(folder, split), count))


def _has_splits(folder: Path) -> bool:
    return any(sorted(folder.glob("*.parquet"))) or any((folder / name).is_dir() for name in _SPLITS)


def _load_parquet(folder: Path, split: str, size: int) -> LabeledImages:
    rows = list(_parquet_rows(folder, split))
    if not rows:
        raise DatasetError(f"{folder}/{split}-*.parquet hold no rows")
    labels = [label for _, label in rows]
    if min(labels) < 0:
        raise DatasetError(f"{folder}/{split}-*.parquet hold the label {min(labels)}; labels count from 0")
    classes = _class_names(folder, count=max(labels) + 1)
    named = [(f"row {row} of {split}", partial(bytes, data)) for row, (data, _) in enumerate(rows)]
    return _decode_all(named, labels, classes, size)


def _parquet_rows(folder: Path, split: str) -> Iterator[tuple[bytes, int]]:
    """Yield image file and label of each row; raises DatasetError for a file or a row that lacks either."""
    pa = pyarrow()
    for file in sorted(folder.glob(f"{split}-*.parquet")):
        try:
            for batch in pa.parquet.ParquetFile(file).iter_batches(batch_size=2000, columns=["image", "label"]):
                images, labels = batch["image"].field("bytes").to_pylist(), batch["label"].to_pylist()
                if not all(type(each) is bytes for each in images) or not all(type(each) is int for each in labels):
                    raise TypeError("a row lacks bytes or label")
                yield from zip(images, labels, strict=True)
        except (pa.ArrowException, AttributeError, LookupError, TypeError) as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            raise DatasetError(
                f"{file} is no Parquet file with the columns image {{bytes, path}} and label ({reason})"
            ) from error


def _class_names(folder: Path, *, count: int) -> tuple[str, ...]:
    """Return the names of classes.json, or `count` numbers; raises DatasetError for a file with too few names."""
    file = folder / "classes.json"
    if not file.exists():
        return tuple(str(index) for index in range(count))
    try:
        entries = sorted(json.loads(file.read_text()), key=lambda entry: entry["index"])
        names = tuple(str(entry["name"]) for entry in entries)
    except (LookupError, TypeError, ValueError) as error:
        raise DatasetError(f'{file} is no list of {{"index": ..., "name": ...}}') from error
    if len(names) < count:
        raise DatasetError(f"{file} names {len(names)} classes, but the labels need {count}")
    return names


def _load_folder(folder: Path, size: int) -> LabeledImages:
    classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."))
    files = {name: _image_files(folder / name) for name in classes}
    if not any(files.values()):
        names = ", ".join(sorted(_SUFFIXES))
        raise DatasetError(
            f"no images in {folder}/CLASS/; expected one folder of images for each class, in files named {names}"
        )
    if empty := [name for name in classes if not files[name]]:
        raise DatasetError(f"no images in {folder / empty[0]}; add images of the class, or delete the folder")
    named = [(str(file), file.read_bytes) for name in classes for file in files[name]]
    return _decode_all(named, [label for label, name in enumerate(classes) for _ in files[name]], classes, size)


def _image_files(folder: Path) -> list[Path]:
    """Return the image files of a class, also in folders below, in the order of their names."""
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _SUFFIXES and path.is_file())
    return [path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts)]


def _decode_all(
    files: Sequence[tuple[str, Callable[[], bytes]]], labels: Sequence[int], classes: tuple[str, ...], size: int
) -> LabeledImages:
    """Decode files as the service does, so that training and use see the same pixels.

    files: name and function that returns the bytes, for each image. Raises DatasetError for a file that is no image.
    """
    pixels = np.empty((len(files), size, size, 3), np.uint8)

    def decode_row(row: int) -> None:
        name, read = files[row]
        try:
            pixels[row] = resize(decode(read()).pixels, size)
        except ColorCNNError as error:
            raise DatasetError(f"{name}: {error}") from error

    with ThreadPoolExecutor(available_cpus()) as pool:
        list(pool.map(decode_row, range(len(files))))
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    return LabeledImages(images, torch.tensor(labels), classes)
