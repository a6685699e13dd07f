"""training/data/options.py: the dataset folder and its name."""

from pathlib import Path

import pytest

from training.data.datasets import DatasetError
from training.data.options import DataOptions, default_folder


def test_the_error_for_a_missing_dataset_folder_names_the_option(tmp_path: Path) -> None:
    for folder in (None, tmp_path / "nowhere"):
        with pytest.raises(DatasetError, match="--data FOLDER or set COLORCNN_DATA"):
            DataOptions(data=folder).located()


def test_the_dataset_is_named_after_its_folder_unless_the_options_name_it(tmp_path: Path) -> None:
    folder = tmp_path / "flowers"
    folder.mkdir()
    for given, named in ((None, "flowers"), ("tulips", "tulips")):
        located = DataOptions(data=folder, dataset=given).located()
        assert (located.folder, located.dataset) == (folder, named) and located.located() == located


def test_one_of_several_datasets_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "flowers").mkdir()
    located = DataOptions(data=tmp_path, dataset="flowers").located()
    assert (located.folder, located.dataset) == (tmp_path / "flowers", "flowers")


def test_the_environment_names_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORCNN_DATA", str(tmp_path))
    assert DataOptions().data == default_folder() == tmp_path
