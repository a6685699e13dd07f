"""Labeled images as one tensor, from Parquet files in the Hugging Face layout or from folders of images.

Parquet:  FOLDER/SPLIT-*.parquet with columns image {bytes, path} and label; FOLDER/classes.json names the classes.
Folders:  FOLDER/SPLIT/CLASS/*.png (or .jpg, ...); the sorted folder names are the classes.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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

DATA_VARIABLE = "COLORCNN_DATA"
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
_SPLIT_SEED = 0
_TEST_SPLITS = ("test", "validation", "val")


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

    def hold_out(self, count: int, *, keep: int | None = None) -> tuple[Self, Self]:
        """Split into a part for training and `count` images for selection; returns both in this order.

        The split is random but does not depend on the seed of the run. Images that are held out from a quantizer must
        also have been held out from its classifier. keep: number of training images to keep, at random; None for all.
        Raises DatasetError where there are too few images.
        """
        if not 0 < count < len(self):
            raise DatasetError(f"cannot hold out {count} of {len(self)} training images; choose another --held-out")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(_SPLIT_SEED)).to(self.labels.device)
        if keep is not None and not 0 < keep <= len(self) - count:
            raise DatasetError(f"cannot train on {keep} of {len(self) - count} images; choose another --train")
        return self.select(order[count:][:keep]), self.select(order[:count])


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
    raise DatasetError(f"no {split}-*.parquet and no folder {split}/ in {folder}; give the dataset folder with --data")


def write_part(file: Path, files: Sequence[bytes], data: LabeledImages) -> None:
    """Write image files and the labels of `data` into a Parquet file, in the layout above, with classes.json beside it.

    Other processes see either no file or the complete file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [{"index": index, "name": name} for index, name in enumerate(data.classes)]
    (file.parent / "classes.json").write_text(json.dumps(names) + "\n")
    images = [{"bytes": content, "path": None} for content in files]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(images, kind), "label": pa.array(data.labels.tolist(), pa.int64())}
    buffer = BytesIO()
    pq.write_table(pa.table(columns), buffer)
    write_atomically(file, buffer.getvalue())


def mean_file_size(folder: Path, split: str, count: int | None = None) -> float:
    """Return the mean bytes of the image files of a split in Parquet files, over all or the first `count`."""
    return fmean(len(data) for data, _ in islice(_parquet_rows(folder, split), count))


def _load_parquet(folder: Path, split: str, size: int) -> LabeledImages:
    rows = list(_parquet_rows(folder, split))
    classes = _class_names(folder, count=max(label for _, label in rows) + 1)
    named = [(f"row {row} of {split}", data) for row, (data, _) in enumerate(rows)]
    return _decode_all(named, [label for _, label in rows], classes, size)


def _parquet_rows(folder: Path, split: str) -> Iterator[tuple[bytes, int]]:
    # Imported here, since only the Parquet layout needs it.
    import pyarrow.parquet as pq

    for file in sorted(folder.glob(f"{split}-*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(batch_size=2000, columns=["image", "label"]):
            yield from zip(batch["image"].field("bytes").to_pylist(), batch["label"].to_pylist(), strict=True)


def _class_names(folder: Path, *, count: int) -> tuple[str, ...]:
    file = folder / "classes.json"
    if not file.exists():
        return tuple(str(index) for index in range(count))
    return tuple(entry["name"] for entry in sorted(json.loads(file.read_text()), key=lambda entry: entry["index"]))


def _load_folder(folder: Path, size: int) -> LabeledImages:
    classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."))
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((folder / name).rglob("*"))
        if file.suffix.lower() in _SUFFIXES
    ]
    if not files:
        raise DatasetError(f"no images in {folder}/CLASS/; expected one folder of images for each class")
    named = [(str(file), file.read_bytes()) for file, _ in files]
    return _decode_all(named, [label for _, label in files], classes, size)


def _decode_all(
    files: list[tuple[str, bytes]], labels: list[int], classes: tuple[str, ...], size: int
) -> LabeledImages:
    """Decode files, each a name and its bytes, as the service does, so that training and use see the same pixels."""
    pixels = np.empty((len(files), size, size, 3), np.uint8)

    def decode_row(row: int) -> None:
        name, data = files[row]
        try:
            pixels[row] = resize(decode(data).pixels, size)
        except ColorCNNError as error:
            raise DatasetError(f"{name}: {error}") from error

    with ThreadPoolExecutor() as pool:
        list(pool.map(decode_row, range(len(files))))
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    return LabeledImages(images, torch.tensor(labels), classes)
