"""Top-1 before and after fine-tuning the classifier on few-color images: figures 6, 8 and 9 of the study.

    python -m training.evaluate.finetuning --data DATA/cifar10 --classifier cifar10-resnet9 \\
        --quantizer cifar10-resnet9-colorcnn --colors 2 4 8 --qps 31 --out docs/results/data/tuned.json

For each number of colors, and with --qps for each QP, `training.quantize_dataset` writes the images into --cache and
`training.finetune` fine-tunes the classifier on them, into --runs. Both classifiers, the published and the fine-tuned
one, then classify the test set in that setting.

The originals are measured in the same way. Without --qps they are lossless PNGs, which shows the effect of further
training alone. With --qps each setting also has originals as BPG of about equal size, for a comparison at equal bits.
The QP of the originals is the one whose files on the held-out part are closest in size.

Datasets, runs and finished rows are kept, the rows in a partial file beside --out. If the command is killed, or ends
with status 75 because of --minutes, repeat the command until the status is 0.
"""

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from statistics import fmean

import numpy as np

from models.codecs import bpg
from models.codecs.bpg.codec import Chroma
from models.evaluation.compare import Setting
from models.evaluation.metrics import bits_per_pixel
from models.evaluation.report_kinds import Kind, head
from models.evaluation.report_rows import FinetuningRow
from models.names import TRUECOLOR
from models.networks.classifiers import Classifier
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.zoo import checkpoint
from models.zoo.registry import Registry
from training import finetune, quantize_dataset
from training.cli import command_line
from training.cli.evaluations import EvaluationOptions, Qp
from training.cli.options import MinutesOptions, SourceOptions
from training.data import workers
from training.data.datasets import load, mean_file_size
from training.data.workers import Images
from training.engines.quantized_blocks import BPG, Quantization
from training.evaluate import harness
from training.loop.distributed import select_device
from training.loop.elapsed import minutes_elapsed
from training.loop.finished_run import FinishedRun, as_checkpoint
from training.loop.provenance import commit
from training.loop.scoring import evaluate, frozen_classifier
from training.loop.state import read_state
from training.options import Count, SomeColors, Weight
from training.quantize_dataset import Source

_QPS = range(52)
_SAMPLED = 200  # held-out images whose BPG files determine the QP of originals of equal size
_PIECES = 8  # parts of the sample that are encoded at the same time


class FinetuningStudyOptions(EvaluationOptions, SourceOptions, MinutesOptions):
    """Measure top-1 before and after fine-tuning the classifier on few-color images, as PNG or as BPG."""

    quantizer: str
    """Published learned quantizer."""
    colors: SomeColors = (2, 4, 8, 16, 32, 64)
    """Numbers of colors."""
    qps: tuple[Qp, ...] = ()
    """QPs of BPG, 0 to 51; indexed PNG by default."""
    epochs: Count = 3
    """Epochs of fine-tuning."""
    batch: Count = 128
    """Images per batch."""
    lr: Weight = 0.003
    """Peak learning rate."""
    seed: int = 0
    """Seed of fine-tuning."""
    cache: Path = Path("runs", "cache")
    """Folder for quantized datasets."""
    runs: Path = Path("runs")
    """Folder for the runs."""


@dataclass(frozen=True)
class Study:
    """Study that makes the row of a setting: quantize, fine-tune, and classify the test set with both classifiers.

    sizes: bits per pixel of BPG for the first held-out originals, by QP, for every QP needed so far. folders: complete
    quantized datasets, by setting.
    """

    options: FinetuningStudyOptions
    registry: Registry
    learned: LearnedQuantizer
    published: Classifier
    pool: Executor
    sizes: dict[int, float] = field(default_factory=dict)
    folders: dict[Setting, Path] = field(default_factory=dict)

    @cached_property
    def originals(self) -> Source:
        """Images before quantization."""
        return Source.original(self.options.folder, self.options.dataset, self.options, self.learned.size)

    def __call__(self, setting: Setting) -> FinetuningRow:
        """Return the row. Raises SystemExit with status 75 if the minutes end during fine-tuning."""
        folder = self.dataset(setting)
        name = f"{self.options.classifier}-{folder.name}"
        out = self.options.runs / name
        after = finetune.main(self._tuning_flags(folder, out)).network
        # Weights are published in half precision, so the measurement uses half precision too.
        file = out / f"{name}.safetensors"
        sha256 = checkpoint.save(file, as_checkpoint(name, FinishedRun.read(out)), half=True)
        checkpoint.restore(after, checkpoint.load(file, sha256=sha256))
        device = select_device(self.options.device)
        held_out, test = (load(folder, split, size=self.learned.size).to(device) for split in ("held_out", "test"))
        before = self.published
        return FinetuningRow(
            **asdict(setting),
            name=name,
            sha256=sha256,
            images=len(test),
            bits_per_pixel=self._mean_bits(folder, "test"),
            top1_before=evaluate(before, test),
            top1_after=evaluate(after, test),
            held_out_before=evaluate(before, held_out),
            held_out_after=evaluate(after, held_out),
            quantization_minutes=quantize_dataset.seconds(folder) / 60,
            minutes=read_state(out)["seconds"] / 60,
        )

    def dataset(self, setting: Setting) -> Path:
        """Return the folder of the dataset in the setting; write the dataset if it does not exist."""
        if setting not in self.folders:
            folder = self.options.cache / _name(setting)
            chroma = self.options.chroma
            if setting.colors is None:
                self._write(self.originals, _quantization(setting, None, chroma), folder)
            elif setting.qp is None:
                sha256 = self.registry.entry(self.options.quantizer).sha256
                self._write(self.originals, _quantization(setting, sha256, chroma), folder)
            else:
                source = Source.quantized(self.dataset(Setting(setting.method, setting.model, setting.colors)))
                self._write(source, Quantization(BPG, qp=setting.qp, chroma=chroma), folder)
            self.folders[setting] = folder
        return self.folders[setting]

    def equal_rate(self, setting: Setting) -> Setting:
        """Return the originals at the QP at which they are about as large as the quantized images."""
        # The same images as for the sizes of the originals: images differ in size more than neighboring QPs do.
        wanted = self._mean_bits(self.dataset(setting), "held_out", _SAMPLED)
        above = bisect_right(_QPS, -wanted, key=lambda qp: -self._size(qp))  # the first QP that needs fewer bits
        neighbors = _QPS[max(0, above - 1) : above + 1]
        return Setting(BPG, qp=min(neighbors, key=lambda qp: abs(self._size(qp) - wanted)))

    def _size(self, qp: int) -> float:
        if qp not in self.sizes:
            images = self.originals.read("held_out", _SAMPLED).images.permute(0, 2, 3, 1).numpy()
            pieces = np.array_split(images, min(len(images), _PIECES))
            bits = self.pool.map(partial(_bits, self.options.chroma, qp), pieces)
            self.sizes[qp] = fmean(chain.from_iterable(bits))
        return self.sizes[qp]

    def _write(self, source: Source, quantization: Quantization, folder: Path) -> None:
        learned = self.learned if quantization.model else None
        quantize_dataset.quantize(source, quantization, learned, folder, self.pool)

    def _mean_bits(self, folder: Path, split: str, count: int | None = None) -> float:
        return 8 * mean_file_size(folder, split, count) / self.learned.size**2

    def _tuning_flags(self, data: Path, out: Path) -> list[str]:
        options = self.options
        values = {
            "data": data,
            "dataset": f"{options.dataset}-{data.name}",
            "classifier": options.classifier,
            "out": out,
        }
        values["crop"] = self.learned.size // 8  # as in training on the originals
        values |= {name: getattr(options, name) for name in ("epochs", "batch", "lr", "seed", "device", "minutes")}
        models = ["--models", str(options.models)] if options.models else []
        return [*models, *(f"--{name}={value}" for name, value in values.items()), "--resume", "auto"]


def main(argv: Sequence[str] | None = None) -> list[FinetuningRow]:
    """Run the measurement of a command line and write the JSON file."""
    options = command_line.parse(FinetuningStudyOptions, "training.evaluate.finetuning", argv).located()
    registry = Registry.open(options.models)
    device = select_device(options.device)
    learned = load_quantizer(registry, options.quantizer, device)
    published = frozen_classifier(registry, options.classifier).to(device)
    if published.config.size != learned.size:
        raise SystemExit(
            f"{options.classifier} classifies images of {published.config.size} pixels, {options.quantizer} quantizes "
            f"images of {learned.size}: select two models of the same size"
        )
    with workers.worker_pool(options.workers) as pool:
        study = Study(options, registry, learned, published, pool)
        kept = harness.KeptRows(harness.kept_file(options.out), _header(study), FinetuningRow)
        rows = _rows(study, kept)
    kept.finish(options.out, rows)
    return rows


def _rows(study: Study, kept: harness.KeptRows[FinetuningRow]) -> list[FinetuningRow]:
    """Return the rows of all settings. Raises SystemExit with status 75 if the minutes end earlier."""
    rows: dict[Setting, FinetuningRow] = {}
    begun = False
    for setting in _settings(study):
        row = kept.find(setting)
        if row is None:
            if begun and minutes_elapsed() > study.options.minutes:
                raise SystemExit(os.EX_TEMPFAIL)
            begun = True
            row = kept.add(study(setting))
        rows[setting] = row
    return list(rows.values())


def _header(study: Study) -> dict[str, object]:
    options = study.options
    test = study.originals.read("test").to(select_device(options.device))
    names = (options.classifier, options.quantizer)
    return head(Kind.FINETUNING_BPG if options.qps else Kind.FINETUNING) | {
        "dataset": options.dataset,
        "split": "test",
        "images": len(test),
        "trained_on": study.originals.lengths["train"],
        "classifier": options.classifier,
        "quantizer": options.quantizer,
        "sha256": {name: study.registry.entry(name).sha256 for name in names},
        "tuning": {name: getattr(options, name) for name in ("epochs", "batch", "lr", "seed")},
        "chroma": ":".join(options.chroma),
        "top1_original": evaluate(study.published, test),
        "commit": commit(),
    }


def _settings(study: Study) -> Iterator[Setting]:
    """Yield the settings of the options, then the originals: lossless, or with QPs at equal size."""
    options = study.options
    palettes = [Setting(study.learned.name, options.quantizer, colors) for colors in options.colors]
    if not options.qps:
        yield from (*palettes, Setting(TRUECOLOR))
    encoded = [replace(palette, qp=qp) for palette in palettes for qp in options.qps]
    yield from encoded
    yield from map(study.equal_rate, encoded)


def _quantization(setting: Setting, sha256: str | None, chroma: Chroma) -> Quantization:
    return Quantization(setting.method, setting.model, setting.colors, setting.qp, sha256, chroma)


def _name(setting: Setting) -> str:
    """Return the name of the folder of a dataset."""
    source = f"k{setting.colors}" if setting.colors else "originals"
    return source if setting.qp is None else f"{source}-qp{setting.qp}"


def _bits(chroma: Chroma, qp: int, images: Images) -> list[float]:
    """Return the bits per pixel of BPG of each image."""
    height, width = images.shape[1:3]
    return [bits_per_pixel(len(bpg.encode(image, qp=qp, chroma=chroma)), height, width) for image in images]


if __name__ == "__main__":
    command_line.run(main)
