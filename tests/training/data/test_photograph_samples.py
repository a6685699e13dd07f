"""training/data/photograph_samples.py: squares of photographs with their mapping."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.datasets import DatasetError
from training.data.photograph_samples import Draw, batches, photograph_files, sample


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    blocks = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize((90, 60), Image.Resampling.BICUBIC).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize(("colors", "diffused"), [(2, True), (2, False), (16, True)])
def test_a_sample_is_a_square_with_its_mapping(photograph: Path, colors: int, diffused: bool) -> None:
    made = sample(Draw(photograph, colors, 32, diffused, seed=1))
    assert made.pixels.shape == made.mapped.shape == (32, 32, 3)
    assert len(np.unique(made.mapped.reshape(-1, 3), axis=0)) <= colors
    assert np.array_equal(made.mapping.map(made.pixels).render(), made.mapped)
    assert (made.mapping.mobility(made.pixels) is None) == diffused


def test_the_seed_decides_which_square(photograph: Path) -> None:
    draws = [Draw(photograph, 2, 32, True, seed) for seed in (1, 1, 2)]
    first, same, other = (sample(draw).pixels for draw in draws)
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_batches_keep_their_order(photograph: Path) -> None:
    draws = [[Draw(photograph, 2, 16, True, 2 * batch + row) for row in range(2)] for batch in range(9)]
    with ThreadPoolExecutor(2) as pool:
        made = list(batches(pool, draws, ahead=3))  # type: ignore[arg-type]
    assert [[one.draw for one in batch] for batch in made] == draws


def test_files_are_found_in_subfolders_and_through_links(photograph: Path, tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    deeper = tmp_path / "x" / "y" / "B.JPEG"
    photograph.with_name("text.txt").write_text("none")
    Image.new("RGB", (8, 8)).save(deeper)
    assert photograph_files(tmp_path) == [photograph, deeper]
    with pytest.raises(DatasetError, match="no image files"):
        photograph_files(tmp_path / "nowhere")
