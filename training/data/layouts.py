"""Images of a dataset folder by place, before any pixel is read: rows of Parquet files, or image files in folders.

Parquet:  FOLDER/SPLIT-*.parquet with columns image {bytes, path} and label; FOLDER/classes.json names the classes.
Folders:  FOLDER/SPLIT/CLASS/*.png (or .jpg, ...); the sorted folder names are the classes. A folder without splits,
          FOLDER/CLASS/*.png, holds training images alone. Hidden files and folders are left out.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from training.extras import pyarrow

_SUFFIXES = frozenset({".bmp", ".bpg", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_TEST_SPLITS = ("test", "validation", "val")
_SPLITS = ("train", "held_out", *_TEST_SPLITS)

Numbers = NDArray[np.int64]


class DatasetError(Exception):
    """Error for a dataset folder that cannot be read; the message names the folder and the expected files."""


@dataclass(frozen=True)
class ImageTable:
    """Images of a split by place: 24 bytes an image in Parquet files, and the length of its path in folders.

    sources: Parquet files, or image files. source_of: (N,), index into `sources` of each image. row_of: (N,), row in
    the Parquet file; None for image files. labels: (N,), from 0 to len(classes) - 1.
    """

    sources: tuple[str, ...]
    source_of: Numbers
    row_of: Numbers | None
    labels: Numbers
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, numbers: Numbers) -> Self:
        """Return the images with these numbers, (n,), in the given order, with their sources alone."""
        used, source_of = np.unique(self.source_of[numbers], return_inverse=True)
        row_of = None if self.row_of is None else self.row_of[numbers]
        sources = tuple(self.sources[source] for source in used)
        return replace(self, sources=sources, source_of=source_of, row_of=row_of, labels=self.labels[numbers])

    def files(self) -> Iterator[tuple[int, str, Callable[[], bytes]]]:
        """Yield number, name and a function that returns the image file, for each image; source by source.

        Raises DatasetError for a Parquet file that changed, or for a row without an image.
        """
        if self.row_of is None:
            for number, source in enumerate(self.source_of):
                yield number, self.sources[source], Path(self.sources[source]).read_bytes
            return
        for index, source in enumerate(self.sources):
            numbers = np.flatnonzero(self.source_of == index)
            rows = self.row_of[numbers]
            for position, data in _read_rows(Path(source), rows):
                yield int(numbers[position]), f"row {rows[position]} of {source}", partial(bytes, data)


def require_classes(ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    """Raise DatasetError unless the classes of a dataset, `ours`, are those of a classifier, in the same order."""
    if ours != theirs:
        found, known = (", ".join(names[:20]) for names in (ours, theirs))
        raise DatasetError(f"the data has the classes {found}; the classifier knows {known}, in that order")


def find(folder: Path, split: str) -> ImageTable:
    """Return the images of a split, in the order of their files and rows.

    split: "train", "held_out" or "test"; a test split may also be named validation or val. Raises DatasetError where
    the folder has neither layout.
    """
    for name in _names(split):
        if files := sorted(folder.glob(f"{name}-*.parquet")):
            return _in_parquet(folder, name, files)
        if (folder / name).is_dir():
            return _in_folders(folder / name)
    if split == "train" and not _has_splits(folder):
        return _in_folders(folder)
    raise DatasetError(f"no {split}-*.parquet and no folder {split}/ in {folder}; give the dataset folder with --data")


def has_split(folder: Path, split: str) -> bool:
    """Return whether a folder holds a split in Parquet files or in a folder of its own; `split` as for `find`."""
    return any(sorted(folder.glob(f"{name}-*.parquet")) or (folder / name).is_dir() for name in _names(split))


def _names(split: str) -> tuple[str, ...]:
    return _TEST_SPLITS if split == "test" else (split,)


def _has_splits(folder: Path) -> bool:
    return any(sorted(folder.glob("*.parquet"))) or any((folder / name).is_dir() for name in _SPLITS)


def _in_parquet(folder: Path, split: str, files: list[Path]) -> ImageTable:
    labels_of = [_labels(file) for file in files]
    labels = np.concatenate(labels_of)
    if not len(labels):
        raise DatasetError(f"{folder}/{split}-*.parquet hold no rows")
    if labels.min() < 0:
        raise DatasetError(f"{folder}/{split}-*.parquet hold the label {labels.min()}; labels count from 0")
    counts = [len(each) for each in labels_of]
    return ImageTable(
        sources=tuple(map(str, files)),
        source_of=np.repeat(np.arange(len(files)), counts),
        row_of=np.concatenate([np.arange(count) for count in counts]),
        labels=labels,
        classes=_class_names(folder, count=int(labels.max()) + 1),
    )


@contextmanager
def _readable(file: Path) -> Iterator[Any]:
    """Yield an open Parquet file of the layout; raises DatasetError if it is none, also while it is read."""
    pa = pyarrow()
    try:
        yield pa.parquet.ParquetFile(file)
    except (pa.ArrowException, AttributeError, LookupError, TypeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise DatasetError(
            f"{file} is no Parquet file with the columns image {{bytes, path}} and label ({reason})"
        ) from error


def _labels(file: Path) -> Numbers:
    """Return the labels of a Parquet file, (N,), after a check of its columns."""
    pa = pyarrow()
    with _readable(file) as opened:
        schema = opened.schema_arrow
        schema.field("image").type.field("bytes")
        column = opened.read(columns=["label"])["label"]
        if column.null_count or not pa.types.is_integer(column.type):
            raise TypeError("a row lacks bytes or label")
        return np.asarray(column.to_numpy(), np.int64)


def _read_rows(file: Path, rows: Numbers) -> Iterator[tuple[int, bytes]]:
    """Yield the position in `rows`, (n,), and the image file of each row; holds one row group at a time."""
    with _readable(file) as opened:
        counts = [opened.metadata.row_group(group).num_rows for group in range(opened.metadata.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(counts)])
        if len(rows) and rows.max() >= starts[-1]:
            raise IndexError(f"it has lost rows, and holds {starts[-1]} now")
        group_of = np.searchsorted(starts, rows, side="right") - 1
        for group in np.unique(group_of):
            positions = np.flatnonzero(group_of == group)
            column = opened.read_row_group(group, columns=["image"])["image"]
            images = column.take(rows[positions] - starts[group]).combine_chunks().field("bytes").to_pylist()
            if not all(type(image) is bytes for image in images):
                raise TypeError("a row lacks bytes or label")
            yield from zip(positions.tolist(), images, strict=True)


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


def _in_folders(folder: Path) -> ImageTable:
    classes = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."))
    files = {name: _image_files(folder / name) for name in classes}
    if not any(files.values()):
        names = ", ".join(sorted(_SUFFIXES))
        raise DatasetError(
            f"no images in {folder}/CLASS/; expected one folder of images for each class, in files named {names}"
        )
    if empty := [name for name in classes if not files[name]]:
        raise DatasetError(f"no images in {folder / empty[0]}; add images of the class, or delete the folder")
    sources = tuple(file for name in classes for file in files[name])
    labels = np.repeat(np.arange(len(classes)), [len(files[name]) for name in classes])
    return ImageTable(sources, np.arange(len(sources)), None, labels, classes)


def _image_files(folder: Path) -> list[str]:
    """Return the image files of a class, also in folders below, in the order of their names."""
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _SUFFIXES and path.is_file())
    return [str(path) for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts)]
