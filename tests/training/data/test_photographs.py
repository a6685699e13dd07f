"""training/data/photographs.py."""

from pathlib import Path

import pytest
from PIL import Image

from training.data.datasets import DatasetError
from training.data.photographs import Photograph, photographs, scaled

FILES = ["1.png", "2.jpg", "3.png", "4.png"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs in landscape format, and a file that is no image."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in FILES:
        Image.new("RGB", (48, 32), "red").save(folder / name)
    (folder / "LICENSE").write_text("free")
    return folder


def test_files_come_by_name_or_in_the_order_of_the_labels(folder: Path, tmp_path: Path) -> None:
    assert photographs(folder, None, 1, 2) == [Photograph(folder / name, None) for name in FILES[1:3]]
    labels = tmp_path / "labels.txt"
    labels.write_text("./3.png, 7\n1.png, 0\n2.jpg,12\n")
    named = [Photograph(folder / "1.png", 0), Photograph(folder / "2.jpg", 12)]
    assert photographs(folder, labels, 1, 9) == named


def test_a_photograph_is_scaled_to_its_shorter_side(folder: Path) -> None:
    assert scaled(folder / FILES[0], 24).shape == (24, 36, 3)
    assert scaled(folder / FILES[0], 64).shape == (64, 96, 3)


@pytest.mark.parametrize(("skip", "message"), [(4, "has 4 image files, of which --skip leaves none"), (0, "no folder")])
def test_a_folder_without_photographs_is_refused(folder: Path, skip: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        photographs(folder if skip else folder / "none", None, skip, 1)


@pytest.mark.parametrize("line", ["5.png, 0", "1.png", "1.png, one", ""])
def test_a_line_of_labels_without_a_file_or_a_class_is_refused(folder: Path, tmp_path: Path, line: str) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text(f"1.png, 3\n{line}\n")
    with pytest.raises(DatasetError, match="line 2 is not FILE, INDEX with a file of"):
        photographs(folder, labels, 0, 2)
    with pytest.raises(DatasetError, match=r"cannot be read \(No such file or directory\): give --labels FILE"):
        photographs(folder, tmp_path / "none.txt", 0, 2)
