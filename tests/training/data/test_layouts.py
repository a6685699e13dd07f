"""training/data/layouts.py: images by place; chosen rows of Parquet files come back in the chosen order."""

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.data.layouts import DatasetError, ImageTable, find

LABELS = [3, 1, 2, 0, 1, 3, 2]


@pytest.fixture(params=["Parquet", "folders"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> ImageTable:
    """Seven images, in two files of row groups of two rows, or in one folder for each label."""
    if request.param == "Parquet":
        for name, rows in (("train-0.parquet", range(5)), ("train-1.parquet", range(5, 7))):
            write(tmp_path / name, list(rows))
    else:
        for row, label in enumerate(LABELS):
            (tmp_path / "train" / str(label)).mkdir(parents=True, exist_ok=True)
            (tmp_path / "train" / str(label) / f"{row}.png").write_bytes(b"%d" % row)
    return find(tmp_path, "train")


def write(file: Path, rows: list[int]) -> None:
    images = [{"bytes": b"%d" % row, "path": None} for row in rows]
    pq.write_table(pa.table({"image": images, "label": [LABELS[row] for row in rows]}), file, row_group_size=2)


def contents(table: ImageTable) -> list[int]:
    files = {number: int(file()) for number, _, file in table.files()}
    return [files[number] for number in range(len(table))]


def test_every_image_has_its_label(table: ImageTable) -> None:
    assert sorted(contents(table)) == list(range(7))
    assert [LABELS[row] for row in contents(table)] == table.labels.tolist()
    assert table.classes == ("0", "1", "2", "3")


@pytest.mark.parametrize("numbers", [[0], [6, 0, 3], [5, 4, 4, 1], list(range(7))])
def test_chosen_images_stand_in_the_chosen_order(table: ImageTable, numbers: list[int]) -> None:
    chosen = table.select(np.array(numbers))
    assert contents(chosen) == [contents(table)[number] for number in numbers]
    assert chosen.labels.tolist() == [table.labels[number] for number in numbers]
    assert contents(chosen.select(np.array([0]))) == contents(chosen)[:1]


def test_a_selection_carries_its_own_sources_alone(table: ImageTable) -> None:
    chosen = table.select(np.array([0]))
    assert len(chosen.sources) == 1
    assert contents(pickle.loads(pickle.dumps(chosen))) == contents(chosen)


def test_a_file_that_lost_rows_is_named(tmp_path: Path) -> None:
    write(tmp_path / "train-0.parquet", [0, 1, 2])
    table = find(tmp_path, "train")
    write(tmp_path / "train-0.parquet", [0, 1])
    with pytest.raises(DatasetError, match=r"train-0\.parquet is no Parquet file .*it has lost rows, and holds 2 now"):
        list(table.files())
