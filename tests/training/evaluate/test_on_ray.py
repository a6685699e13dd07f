"""training/evaluate/on_ray.py: rows of images in files, and their means. See tests/training/engines for Ray itself."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from models.evaluation.compare import Sample, Setting, compare, summarize
from models.prediction import Prediction
from models.quantizers.classical.catalog import CLASSICAL
from models.rgb import ViewGeometry
from training.data.datasets import DatasetError
from training.evaluate import on_ray


class Brightness:
    """A classifier of two classes, whose answer depends on the pixels."""

    views = ViewGeometry.of(16, None, None)

    def predict_batch(self, images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> list[Prediction]:
        return [Prediction("bright", int(image.mean() > 127.5), float(image.mean() / 255)) for image in images]


def test_means_over_files_equal_means_over_rows(tmp_path: Path) -> None:
    settings = [Setting("octree", colors=2), Setting("kmeans", colors=5)]
    images = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), np.uint8)
    samples = [Sample(str(i), image, Prediction("bright", i % 2, 0.5), i % 3) for i, image in enumerate(images)]
    rows = [
        [compare(sample, setting, CLASSICAL[setting.method], Brightness())[0] for sample in samples]
        for setting in settings
    ]
    files = [tmp_path / "part-00000.parquet", tmp_path / "part-00001.parquet"]
    for file, part in zip(files, (slice(0, 4), slice(4, 7)), strict=True):
        on_ray.write_rows(file, [of_setting[part] for of_setting in rows], [True] * len(samples[part]))
    for index, setting in enumerate(settings):
        [expected] = summarize(rows[index])
        found = on_ray.summary(files, index, setting)
        assert asdict(found) | {"milliseconds": 0} == asdict(expected) | {"milliseconds": 0}


def test_settings_are_part_of_what_a_folder_of_rows_is_for(tmp_path: Path) -> None:
    folder = tmp_path / "x.rows"
    on_ray.claim(folder, {"settings": [asdict(Setting("wu", colors=2))]})
    on_ray.claim(folder, {"settings": [asdict(Setting("wu", colors=2))]})
    with pytest.raises(DatasetError, match="delete it, or choose another --out"):
        on_ray.claim(folder, {"settings": [asdict(Setting("wu", colors=4))]})
