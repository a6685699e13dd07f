"""training/importing/description.py: what a program does not say, from TOML, JSON or timm."""

import json
from pathlib import Path

import pytest

from tests.training.importing.exported import DESCRIPTION
from training.importing.description import Description, check_classes, read_classes, read_description
from training.importing.graph import Rejected

STATED = Description(
    size=16,
    resize="crop",
    crop=0.5,
    interpolation="bicubic",
    mean=(0.4, 0.5, 0.6),
    std=(0.2, 0.3, 0.4),
    classes=("cat", "dog", "bird"),
    dataset="pets",
)


def test_toml_and_json_state_the_same(tmp_path: Path) -> None:
    (tmp_path / "pets.toml").write_text(DESCRIPTION)
    assert read_description(tmp_path / "pets.toml") == STATED
    (tmp_path / "pets.json").write_text(json.dumps(STATED.model_dump()))
    assert read_description(tmp_path / "pets.json") == STATED


def test_classes_may_lie_in_a_file_beside_the_description(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\n\n  dog \nbird\n")
    (tmp_path / "pets.toml").write_text('classes = "names.txt"\n')
    assert read_description(tmp_path / "pets.toml").classes == ("cat", "dog", "bird")


def test_what_is_stated_overrides_the_rest() -> None:
    merged = Description(size=32, resize="squeeze").over(STATED)
    assert (merged.size, merged.resize, merged.crop, merged.mean) == (32, "squeeze", None, STATED.mean)
    assert merged.complete("it").crop is None
    assert (
        Description(crop=None, resize="crop").over(STATED.model_copy(update={"crop": None})).complete("it").crop == 1.0
    )


def test_a_gap_is_named() -> None:
    with pytest.raises(Rejected, match=r"pets\.pt2 needs mean, classes: state them in a file .* --description"):
        STATED.model_copy(update={"mean": None, "classes": None}).complete("pets.pt2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size = 'big'", "size"),
        ("size = 4", "size must be greater than or equal to 8"),
        ("colour = 3", "colour is unknown"),
        ("crop = 1.5", "crop"),
        ("std = [0, 1, 1]", "std must be greater than 0"),
        ("mean = [0.5, 0.5]", "mean"),
        ("mean = [nan, 0.5, 0.5]", "mean"),
        ("interpolation = 'nearest'", "interpolation must be 'bilinear', 'bicubic' or 'lanczos'"),
        ("resize = 'squeeze'\ncrop = 0.5", "`crop` goes with resize"),
        ("size = ", "not valid TOML"),
        ("classes = 'nowhere.txt'", "nowhere.txt cannot be read"),
    ],
)
def test_a_bad_description_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pets.toml").write_text(text)
    with pytest.raises(Rejected, match=message):
        read_description(tmp_path / "pets.toml")


def test_a_missing_file_and_a_binary_one_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="cannot be read"):
        read_description(tmp_path / "nowhere.toml")
    (tmp_path / "names").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Rejected, match="not text in UTF-8"):
        read_classes(tmp_path / "names")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(Rejected, match="no table of options"):
        read_description(tmp_path / "list.json")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("cat", "dog"), "2 class names, but the network has 3 classes"),
        (("cat", "dog", "cat"), "'cat' is given twice"),
        (("cat", "dog", "bi\nrd"), "printable"),
    ],
)
def test_there_is_one_name_for_each_logit(classes: tuple[str, ...], message: str) -> None:
    check_classes(("cat", "dog", "bird"), 3)
    with pytest.raises(Rejected, match=message):
        check_classes(classes, 3)
