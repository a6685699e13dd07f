"""Measurement of the predictions that photographs keep in few colors, by method.

    python -m training.evaluate.photographs --photos DATA/ilsvrc2012-val --skip 140 \\
        --classifier imagenet-efficientnet-lite0 --quantizer cifar10-resnet9-colorcnn \\
        --out docs/results/data/photographs.json

Each photograph is decoded and scaled so that its shorter side has --side pixels. Every method quantizes it; the result
is written as an indexed PNG, read back and classified. A prediction is kept if its class is the class of the scaled
original; no true class is needed. Finished rows are kept in a partial file beside --out, so a killed run can continue.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from threadpoolctl import threadpool_limits

from models.codecs import png
from models.decoding.decode import decode
from models.evaluation import metrics
from models.evaluation.compare import Setting
from models.evaluation.report_rows import PhotographRow
from models.evaluation.reports import Kind, head
from models.quantizers.base import Quantizer
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.colorcnn import load_quantizer
from models.recognizer import Recognizer, load_recognizer
from models.rgb import Pixels
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.evaluations import LearnedMethod
from training.cli.options import ClassicalMethod, ModelsOptions, WorkersOptions
from training.data import workers
from training.data.datasets import DatasetError
from training.data.options import DatasetName
from training.evaluate import harness
from training.loop.distributed import select_device
from training.loop.provenance import commit
from training.options import Count, CountOrZero, SomeColors

_ENDINGS = frozenset({".bmp", ".bpg", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_RESAMPLES = 1000
_INTERVAL = (2.5, 97.5)  # percentiles
_CPU = select_device("cpu")


class PhotographsOptions(ModelsOptions, WorkersOptions, DatasetName):
    """Measure how many photographs keep the prediction of a classifier in few colors, by method."""

    photos: Path
    """Folder of image files, read in the order of their names."""
    skip: CountOrZero = 0
    """Image files at the beginning of the folder that are left out."""
    images: Count = 500
    """Largest number of photographs."""
    side: Count = 448
    """Pixels that the shorter side of a photograph is scaled to."""
    classifier: str
    """Published classifier that recognizes the photographs."""
    quantizer: str | None = None
    """Published learned quantizer to measure."""
    ways: tuple[LearnedMethod, ...] = ("colorcnn",)
    """Methods of the learned quantizer."""
    methods: tuple[ClassicalMethod, ...] = ("kmeans", "median_cut_dither", "halftone")
    """Classical quantizers to measure."""
    colors: SomeColors = (2, 4, 16)
    """Numbers of colors."""
    out: Path
    """JSON file for the results."""


@dataclass(frozen=True)
class Measurement:
    """One photograph in one setting.

    kept: whether the prediction is that of the original. view_mse: mean squared error between the classifier's inputs
    for original and file, 0 to 65025.
    """

    kept: bool
    bits_per_pixel: float
    view_mse: float


@dataclass(frozen=True)
class Bench:
    """Measurements of single photographs, in the processes of a pool; each process loads the models once.

    models: folder of the published models; None for the models that ship with the project.
    """

    models: Path | None
    classifier: str
    side: int

    def predict(self, file: Path) -> int:
        """Return the index of the class that the classifier predicts for a photograph."""
        with threadpool_limits(1):
            return self._recognizer.predict(scaled(file, self.side))[0].index

    def measure(self, setting: Setting, file: Path, before: int) -> Measurement:
        """Quantize a photograph, write it as an indexed PNG, read it back and classify it.

        before: the prediction for the original.
        """
        with threadpool_limits(1):
            original = scaled(file, self.side)
            written = png.encode(_quantizer(self.models, setting).quantize(original, setting.colors or 0))
            view = self._recognizer.view(decode(written).pixels)
            [after] = self._recognizer.predict_batch(view[np.newaxis])
            return Measurement(
                kept=after.index == before,
                bits_per_pixel=metrics.bits_per_pixel(len(written), *original.shape[:2]),
                view_mse=metrics.mean_squared_error(self._recognizer.view(original), view),
            )

    @property
    def _recognizer(self) -> Recognizer:
        return _load_recognizer(self.models, self.classifier)


@cache
def _load_recognizer(models: Path | None, name: str) -> Recognizer:
    return load_recognizer(Registry.open(models), name, _CPU)


@cache
def _quantizer(models: Path | None, setting: Setting) -> Quantizer:
    if setting.model is None:
        return CLASSICAL[setting.method]
    return load_quantizer(Registry.open(models), setting.model, _CPU).for_method(setting.method)


def main(argv: Sequence[str] | None = None) -> list[PhotographRow]:
    """Run the measurement of a command line and write the JSON file."""
    options = command_line.parse(PhotographsOptions, "training.evaluate.photographs", argv)
    files = photographs(options.photos, options.skip, options.images)
    bench = Bench(options.models, options.classifier, options.side)
    kept = harness.KeptRows(harness.kept_file(options.out), _header(options, files), PhotographRow)
    with workers.worker_pool(options.workers) as pool:
        before = list(track(pool.map(bench.predict, files), "originals", total=len(files), transient=True))
        rows = [
            kept.find(setting) or kept.add(_row(bench, setting, files, before, pool)) for setting in _settings(options)
        ]
    kept.finish(options.out, rows)
    return rows


def photographs(folder: Path, skip: int, most: int) -> list[Path]:
    """Return up to `most` image files of a folder in the order of their names, without the first `skip`.

    Raises DatasetError if the folder does not exist or has no further image files.
    """
    if not folder.is_dir():
        raise DatasetError(f"no folder {folder}: give --photos FOLDER")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _ENDINGS)
    if len(files) <= skip:
        raise DatasetError(f"{folder} has {len(files)} image files, of which --skip leaves none")
    return files[skip : skip + most]


def scaled(file: Path, side: int) -> Pixels:
    """Return the pixels of an image file, (H, W, 3) uint8 sRGB, scaled bicubically to a shorter side of `side`."""
    pixels = decode(file.read_bytes()).pixels
    height, width = pixels.shape[:2]
    factor = side / min(height, width)
    size = (max(side, round(width * factor)), max(side, round(height * factor)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def bootstrap_interval(kept: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of (N,) outcomes, from 1,000 resamples with a fixed seed."""
    places = np.random.default_rng(0).integers(len(kept), size=(_RESAMPLES, len(kept)))
    low, high = np.percentile(kept[places].mean(1), _INTERVAL)
    return float(low), float(high)


def _row(bench: Bench, setting: Setting, files: Sequence[Path], before: Sequence[int], pool: Executor) -> PhotographRow:
    measured = pool.map(partial(bench.measure, setting), files, before)
    title = f"{setting.method}, colors {setting.colors}"
    found = list(track(measured, title, total=len(files), transient=True))
    kept = np.array([each.kept for each in found])
    low, high = bootstrap_interval(kept)
    return PhotographRow(
        setting.method,
        setting.model,
        setting.colors,
        images=len(found),
        kept=float(kept.mean()),
        kept_low=low,
        kept_high=high,
        bits_per_pixel=float(np.mean([each.bits_per_pixel for each in found])),
        view_psnr=metrics.psnr(float(np.mean([each.view_mse for each in found]))),
    )


def _settings(options: PhotographsOptions) -> list[Setting]:
    learned = [(way, options.quantizer) for way in options.ways if options.quantizer]
    quantizers = [*learned, *((method, None) for method in options.methods)]
    return [Setting(method, model, colors) for method, model in quantizers for colors in options.colors]


def _header(options: PhotographsOptions, files: Sequence[Path]) -> dict[str, Any]:
    """Return the values that identify a measurement; rows are reused only under the same header."""
    registry = Registry.open(options.models)
    names = [name for name in (options.classifier, options.quantizer) if name]
    return head(Kind.PHOTOGRAPHS) | {
        "commit": commit(),
        "dataset": options.dataset or options.photos.absolute().name,
        "split": f"files {options.skip + 1} to {options.skip + len(files)} by name",
        "images": len(files),
        "side": options.side,
        "classifier": options.classifier,
        "quantizer": options.quantizer,
        "sha256": {name: registry.entry(name).sha256 for name in names},
    }


if __name__ == "__main__":
    command_line.run(main)
