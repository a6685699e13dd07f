"""training/evaluate/harness.py: rows that outlive the process."""

from pathlib import Path

import numpy as np
import pytest

from models.evaluation.compare import Summary
from training.data.datasets import DatasetError
from training.data.workers import parts
from training.evaluate.harness import KeptRows


def test_rows_of_other_weights_are_refused(tmp_path: Path) -> None:
    KeptRows(tmp_path / "x.partial", {"sha256": {"a": "1"}}, Summary)
    with pytest.raises(DatasetError, match="delete the file"):
        KeptRows(tmp_path / "x.partial", {"sha256": {"a": "2"}}, Summary)


def test_parts_cover_every_image_once() -> None:
    images = np.arange(601).reshape(-1, 1, 1, 1).astype(np.uint8)
    assert np.array_equal(np.concatenate(parts(images)), images)


@pytest.mark.parametrize("text", ["no json\n", '{"a": 1}\n[]\n', '{"a": 1}\n{"method": "wu"}\n'])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.partial").write_text(text)
    with pytest.raises(DatasetError, match="holds no rows of an evaluation"):
        KeptRows(tmp_path / "x.partial", {"a": 1}, Summary)
