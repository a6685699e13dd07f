"""training/data/datasets.py: both layouts give the same tensors."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import ExifTags, Image

from training.data.datasets import DATA_VARIABLE, DatasetError, LabeledImages, load
from training.data.options import default_folder


def make_pixels(seed: int, size: int = 8) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def png_of(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_parquet(file: Path, labels: list[int], *, size: int = 8) -> None:
    images = [{"bytes": png_of(make_pixels(seed, size)), "path": f"{seed}.png"} for seed in range(len(labels))]
    pq.write_table(pa.table({"image": images, "label": labels}), file)


def test_parquet_rows_keep_their_order_over_the_files(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-00000-of-00002.parquet", [1, 0])
    write_parquet(tmp_path / "train-00001-of-00002.parquet", [2])
    (tmp_path / "classes.json").write_text(json.dumps([{"index": i, "name": n} for i, n in enumerate("abc")]))
    data = load(tmp_path, "train", size=8)
    assert data.labels.tolist() == [1, 0, 2] and data.classes == ("a", "b", "c")
    expected = np.stack([make_pixels(0), make_pixels(1), make_pixels(0)])
    assert np.array_equal(data.images.permute(0, 2, 3, 1).numpy(), expected)


def test_folders_name_the_classes_and_images_are_resized(tmp_path: Path) -> None:
    for name, size in (("dog", 8), ("cat", 20)):
        (tmp_path / "test" / name).mkdir(parents=True)
        (tmp_path / "test" / name / "1.png").write_bytes(png_of(make_pixels(3, size)))
        (tmp_path / "test" / name / "notes.txt").write_text("not an image")
    Image.new("L", (8, 8), 77).save(tmp_path / "test" / "dog" / "gray.png")
    data = load(tmp_path, "test", size=8)
    assert data.classes == ("cat", "dog") and data.labels.tolist() == [0, 1, 1]
    assert np.array_equal(data.images[1].permute(1, 2, 0).numpy(), make_pixels(3))
    assert bool((data.images[2] == 77).all())


def test_training_sees_the_pixels_that_the_service_sees(tmp_path: Path) -> None:
    """Deep gray is scaled and not saturated, transparency is white, and the camera's orientation is applied."""
    folder = tmp_path / "train" / "cat"
    folder.mkdir(parents=True)
    Image.fromarray(np.full((8, 8), 20000, np.uint16)).save(folder / "1.png")
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(folder / "2.png")
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 3
    Image.fromarray(make_pixels(0)).save(folder / "3.png", exif=turned)
    gray, clear, upright = load(tmp_path, "train", size=8).images.permute(0, 2, 3, 1).numpy()
    assert (gray == 78).all() and (clear == 255).all()
    assert np.array_equal(upright, make_pixels(0)[::-1, ::-1])


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "train" / "cat").mkdir(parents=True)
    (tmp_path / "train" / "cat" / "broken.png").write_bytes(png_of(make_pixels(0))[:60])
    with pytest.raises(DatasetError, match=r"broken\.png: The PNG"):
        load(tmp_path, "train", size=8)


def test_images_of_unknown_classes_are_refused(tmp_path: Path) -> None:
    for name in ("cat", "dog", ".cache"):
        (tmp_path / "test" / name).mkdir(parents=True)
        (tmp_path / "test" / name / "1.png").write_bytes(png_of(make_pixels(0)))
    data = load(tmp_path, "test", size=8)
    data.require_classes(("cat", "dog"))
    with pytest.raises(DatasetError, match="classes cat, dog; the classifier knows ant, cat, dog"):
        data.require_classes(("ant", "cat", "dog"))


def test_the_test_split_may_be_called_validation(tmp_path: Path) -> None:
    write_parquet(tmp_path / "validation-00000-of-00001.parquet", [0, 1])
    assert load(tmp_path, "test", size=8).classes == ("0", "1")
    with pytest.raises(DatasetError, match=r"no train-\*\.parquet and no folder train/"):
        load(tmp_path, "train", size=8)


def test_the_error_for_a_folder_without_images_names_the_expected_files(tmp_path: Path) -> None:
    (tmp_path / "train" / "cat").mkdir(parents=True)
    with pytest.raises(DatasetError, match="one folder of images for each class"):
        load(tmp_path, "train", size=8)


def test_a_folder_of_classes_alone_holds_training_images(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name / "more").mkdir(parents=True)
        (tmp_path / name / "more" / "1.JPEG").write_bytes(png_of(make_pixels(0)))
        (tmp_path / name / "._1.png").write_bytes(b"resource fork of a picture")
    data = load(tmp_path, "train", size=8)
    assert data.classes == ("cat", "dog") and data.labels.tolist() == [0, 1]
    with pytest.raises(DatasetError, match=r"no test-\*\.parquet and no folder test/"):
        load(tmp_path, "test", size=8)


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(png_of(make_pixels(0)))
    (tmp_path / "dog").mkdir()
    with pytest.raises(DatasetError, match=r"no images in .*dog; add images of the class, or delete the folder"):
        load(tmp_path, "train", size=8)


_FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_TABLES = {
    "other columns": ({"picture": [b"1"], "class": [0]}, "no Parquet file with the columns"),
    "bytes without a path": ({"image": [b"1"], "label": [0]}, "no Parquet file with the columns"),
    "names as labels": ({"image": [{"bytes": b"1"}], "label": ["cat"]}, "a row lacks bytes or label"),
    "no bytes": ({"image": pa.array([{"bytes": None}], _FILE), "label": [0]}, "a row lacks bytes or label"),
    "no rows": ({"image": pa.array([], _FILE), "label": pa.array([], pa.int64())}, "hold no rows"),
    "a negative label": ({"image": [{"bytes": b"1"}], "label": [-1]}, "hold the label -1; labels count from 0"),
}


@pytest.mark.parametrize("name", _TABLES)
def test_parquet_of_another_layout_is_refused(tmp_path: Path, name: str) -> None:
    columns, message = _TABLES[name]
    pq.write_table(pa.table(columns), tmp_path / "train-0.parquet")
    with pytest.raises(DatasetError, match=message) as raised:
        load(tmp_path, "train", size=8)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train-0.parquet").write_bytes(b"no Parquet")
    with pytest.raises(DatasetError, match=r"train-0\.parquet is no Parquet file"):
        load(tmp_path, "train", size=8)


@pytest.mark.parametrize("content", ["{", "[1]", '[{"index": 0}]', '[{"index": 0, "name": "cat"}]'])
def test_class_names_that_do_not_fit_are_refused(tmp_path: Path, content: str) -> None:
    write_parquet(tmp_path / "train-0.parquet", [0, 1])
    (tmp_path / "classes.json").write_text(content)
    with pytest.raises(DatasetError, match=r"classes\.json (is no list|names 1 classes, but the labels need 2)"):
        load(tmp_path, "train", size=8)


def images_of(*labels: int) -> LabeledImages:
    names = tuple(str(label) for label in range(max(labels) + 1))
    return LabeledImages(torch.zeros(len(labels), 3, 1, 1, dtype=torch.uint8), torch.tensor(labels), names)


@pytest.mark.parametrize("common", [3, 50, 400])
def test_every_class_is_trained_on_and_held_out(common: int) -> None:
    data = images_of(*[0] * common, 1, 1, 2, 2)
    for part in data.hold_out(None):
        assert set(part.labels.tolist()) == {0, 1, 2}


@pytest.mark.parametrize(("count", "held_out"), [(6, 3), (90, 18), (24_990, 4998), (30_000, 5000)])
def test_the_default_held_out_part_follows_from_the_images(count: int, held_out: int) -> None:
    assert images_of(*[0, 1, 2] * (count // 3)).default_held_out() == held_out


def test_images_that_cannot_be_trained_on_are_named() -> None:
    with pytest.raises(DatasetError, match="all images are of one class, 0: add images of a second class"):
        images_of(0, 0).require_trainable()
    with pytest.raises(DatasetError, match=r"^0, 2: only one image"):
        images_of(0, 1, 1, 2).require_trainable()
    images_of(0, 0, 2, 2).require_trainable()


def test_held_out_images_are_the_same_in_every_run_and_are_not_trained_on(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-00000-of-00001.parquet", list(range(10)))
    data = load(tmp_path, "train", size=8)
    rest, held_out = data.hold_out(3)
    assert len(rest) == 7 and len(held_out) == 3
    assert sorted(rest.labels.tolist() + held_out.labels.tolist()) == list(range(10))
    torch.manual_seed(7)
    assert torch.equal(data.hold_out(3)[1].labels, held_out.labels) and held_out.labels.tolist() != [0, 1, 2]
    for count in (0, 10):
        with pytest.raises(DatasetError, match="--held-out"):
            data.hold_out(count)


def test_the_number_of_training_images_can_be_limited(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-00000-of-00001.parquet", list(range(10)))
    data = load(tmp_path, "train", size=8)
    rest, held_out = data.hold_out(3)
    kept, same = data.hold_out(3, keep=4)
    assert torch.equal(kept.labels, rest.labels[:4]) and torch.equal(same.labels, held_out.labels)
    for keep in (0, 8):
        with pytest.raises(DatasetError, match=f"cannot train on {keep} of 7 images; choose another --train"):
            data.hold_out(3, keep=keep)


def test_the_default_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    assert default_folder() is None
    monkeypatch.setenv(DATA_VARIABLE, "/data/cifar10")
    assert default_folder() == Path("/data/cifar10")
