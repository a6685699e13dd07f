"""training/quantize_dataset.py: a dataset in few colors is a dataset."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.codecs import bpg
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import load_quantizer
from models.zoo.registry import Registry
from tests.training.workshop import Workshop
from training import quantize_dataset
from training.data import workers
from training.data.datasets import DatasetError, LabeledImages, hold_out_rows, load, mean_file_size
from training.data.layouts import ImageTable, find
from training.data.workers import worker_pool as processes
from training.engines.quantized_blocks import BPG, Quantization

pytestmark = pytest.mark.usefixtures("pool_in_this_process")

COUNTS = {"train": 30, "held_out": 40, "test": 20}
CHOSEN = ["--train", "30", "--held-out", "40", "--test", "20"]


def call(workshop: Workshop, out: Path, *flags: str, data: Path | None = None) -> Path:
    common = ["--data", str(data or workshop.data), "--models", str(workshop.models), "--device", "cpu"]
    return quantize_dataset.main([*common, "--workers", "1", "--size", "16", "--out", str(out), *flags])


@pytest.fixture(scope="module")
def two_colors(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return call(
        workshop,
        tmp_path_factory.mktemp("quantized") / "k2",
        "--quantizer",
        "stripes-q",
        "--colors",
        "2",
        *CHOSEN,
    )


def originals(workshop: Workshop) -> dict[str, LabeledImages]:
    """The chosen images of each split, in the order of their files."""
    train, test = (load(workshop.data, split, size=16) for split in ("train", "test"))
    chosen, held_out = hold_out_rows(train.labels, 40, keep=30)
    tested = hold_out_rows(test.labels, 20)[1]
    rows = {"train": (train, chosen), "held_out": (train, held_out), "test": (test, tested)}
    return {split: data.select(numbers.sort().values) for split, (data, numbers) in rows.items()}


def files(folder: Path, split: str) -> list[bytes]:
    import pyarrow.parquet as pq

    tables = [pq.read_table(file) for file in sorted(folder.glob(f"{split}-*.parquet"))]
    return [row["bytes"] for table in tables for row in table["image"].to_pylist()]


def test_every_split_holds_quantized_images_with_the_original_labels(workshop: Workshop, two_colors: Path) -> None:
    learned = load_quantizer(Registry.open(workshop.models), "stripes-q", torch.device("cpu"))
    for split, source in originals(workshop).items():
        quantized = load(two_colors, split, size=16)
        count = COUNTS[split]
        assert len(quantized) == count and quantized.classes == source.classes
        assert quantized.labels.equal(source.labels)
        first = source.images[:10].permute(0, 2, 3, 1).numpy()
        expected = np.stack([image.render() for image in learned.quantize_batch(first, 2)])
        # A batch of another size may round another way; here and there that turns a tie.
        assert np.mean(quantized.images[:10].permute(0, 2, 3, 1).numpy() != expected) < 0.01


def test_the_number_of_held_out_images_can_be_limited(workshop: Workshop, two_colors: Path, tmp_path: Path) -> None:
    fewer = call(workshop, tmp_path / "fewer", "--quantizer", "stripes-q", "--colors", "2", *CHOSEN, "--score", "10")
    assert len(files(fewer, "held_out")) == 10
    assert set(files(fewer, "held_out")) <= set(files(two_colors, "held_out"))
    assert files(fewer, "train") == files(two_colors, "train")


def test_a_quantized_dataset_holds_indexed_png_files(two_colors: Path) -> None:
    for data in files(two_colors, "test"):
        with Image.open(io.BytesIO(data)) as image:
            assert image.mode == "P" or image.mode == "1"
    sizes = [len(data) for data in files(two_colors, "test")]
    assert mean_file_size(two_colors, "test") == pytest.approx(sum(sizes) / len(sizes))
    assert mean_file_size(two_colors, "test", 5) == pytest.approx(sum(sizes[:5]) / 5)


def test_a_quantized_dataset_can_be_coded_as_bpg(workshop: Workshop, two_colors: Path, tmp_path: Path) -> None:
    coded = call(workshop, tmp_path / "k2-qp40", "--qp", "40", data=two_colors)
    quantized = load(two_colors, "test", size=16)
    data = files(coded, "test")
    assert data[3] == bpg.encode(quantized.images[3].permute(1, 2, 0).numpy(), qp=40, chroma="420")
    decoded = load(coded, "test", size=16)
    assert decoded.labels.equal(quantized.labels)
    assert decoded.images[3].permute(1, 2, 0).numpy().tolist() == bpg.decode(data[3]).tolist()


def test_originals_can_be_coded_as_bpg_without_quantization(workshop: Workshop, tmp_path: Path) -> None:
    coded = call(workshop, tmp_path / "qp0", "--qp", "0", "--chroma", "444", *CHOSEN)
    difference = load(coded, "test", size=16).images.int() - originals(workshop)["test"].images.int()
    assert 0 < difference.abs().float().mean() < 2


def test_a_classical_quantizer_can_run_in_worker_processes(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "worker_pool", processes)
    quantized = call(workshop, tmp_path / "octree", "--method", "octree", "--colors", "4", *CHOSEN)
    source = originals(workshop)["test"].images[5].permute(1, 2, 0).numpy()
    expected = CLASSICAL["octree"].quantize(source, 4).render()
    assert load(quantized, "test", size=16).images[5].permute(1, 2, 0).numpy().tolist() == expected.tolist()


def test_complete_files_are_not_written_again(
    workshop: Workshop, two_colors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, kept = two_colors / "train-00000.parquet", two_colors / "test-00000.parquet"
    before, written = gone.read_bytes(), kept.stat().st_mtime_ns
    gone.unlink()
    took = quantize_dataset.seconds(two_colors)
    call(workshop, two_colors, "--quantizer", "stripes-q", "--colors", "2", *CHOSEN)
    assert gone.read_bytes() == before and kept.stat().st_mtime_ns == written
    assert quantize_dataset.seconds(two_colors) > took > 0
    assert not list(two_colors.glob("*.partial"))


def test_an_incomplete_quantized_dataset_is_not_coded(workshop: Workshop, two_colors: Path, tmp_path: Path) -> None:
    part = Path(shutil.copytree(two_colors, tmp_path / "k2"))
    (part / quantize_dataset.HEADER_FILE).write_text(
        (part / quantize_dataset.HEADER_FILE).read_text().replace('"train": 30', '"train": 31')
    )
    with pytest.raises(DatasetError, match="has 30 of 31 images in train: finish it first"):
        call(workshop, tmp_path / "k2-qp40", "--qp", "40", data=part)


def test_sources_of_complete_files_are_not_read_again(two_colors: Path, workshop: Workshop, tmp_path: Path) -> None:
    coded = call(workshop, tmp_path / "k2-qp40", "--qp", "40", data=two_colors)
    header = json.loads((two_colors / quantize_dataset.HEADER_FILE).read_text())
    read: list[str] = []
    quantization = Quantization(BPG, qp=40)
    (coded / "test-00000.parquet").unlink()

    def recorded(split: str) -> ImageTable:
        read.append(split)
        return find(two_colors, split)

    with workers.worker_pool(1) as pool:
        quantize_dataset.quantize(quantize_dataset.Source(recorded, header), quantization, None, coded, pool)
    assert read == ["test"] and (coded / "test-00000.parquet").exists()


def test_a_dataset_without_a_test_split_is_quantized(workshop: Workshop, tmp_path: Path) -> None:
    flags = ["--method", "octree", "--colors", "2", "--train", "30", "--held-out", "40", "--block", "25"]
    quantized = call(workshop, tmp_path / "k2", *flags, data=workshop.data / "train")
    assert {file.name: len(read(file)) for file in quantized.glob("*.parquet")} == {
        **{"train-00000.parquet": 25, "train-00001.parquet": 5, "held_out-00000.parquet": 25},
        "held_out-00001.parquet": 15,
    }
    coded = call(workshop, tmp_path / "k2-qp40", "--qp", "40", data=quantized)
    assert len(load(coded, "train", size=16)) == 30
    with pytest.raises(DatasetError, match="no test-"):
        load(coded, "test", size=16)


def read(file: Path) -> list[object]:
    import pyarrow.parquet as pq

    return list(pq.read_table(file).to_pylist())


def test_a_folder_with_other_settings_is_rejected(workshop: Workshop, two_colors: Path) -> None:
    with pytest.raises(DatasetError, match="with other settings"):
        call(workshop, two_colors, "--quantizer", "stripes-q", "--colors", "3", *CHOSEN)


def test_the_header_records_how_the_dataset_was_made(two_colors: Path) -> None:
    header = json.loads((two_colors / quantize_dataset.HEADER_FILE).read_text())
    assert header["setting"]["model"] == "stripes-q" and header["source"]["train"] == 30


@pytest.mark.parametrize(
    ("flags", "message"), [([], "--qp is missing"), (["--quantizer", "stripes-q"], "--colors is missing")]
)
def test_an_incomplete_setting_is_refused(workshop: Workshop, tmp_path: Path, flags: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        call(workshop, tmp_path / "x", *flags)
    assert not (tmp_path / "x").exists()
