"""training/measuring.py: rows that outlive the process."""

from pathlib import Path

import numpy as np
import pytest

from training.datasets import DatasetError
from training.measuring import KeptRows, parts


def test_rows_of_other_weights_are_not_gone_on_with(tmp_path: Path) -> None:
    KeptRows(tmp_path / "x.partial", {"sha256": {"a": "1"}})
    with pytest.raises(DatasetError, match="delete it"):
        KeptRows(tmp_path / "x.partial", {"sha256": {"a": "2"}})


def test_images_are_parted_without_loss() -> None:
    images = np.arange(601).reshape(-1, 1, 1, 1).astype(np.uint8)
    assert np.array_equal(np.concatenate(parts(images)), images)
