"""What fine-tuning the classifier on few-color images gives, setting by setting: figures 6, 8 and 9 of the study.

    python -m training.evaluate.finetuning --data DATA/cifar10 --classifier cifar10-resnet9 \\
        --quantizer cifar10-resnet9-colorcnn --colors 2 4 8 --qps 31 --out docs/results/data/tuned.json

For each number of colors, and with --qps for each QP too, the images are painted (training.quantize_dataset, into --cache), the
classifier is fine-tuned on them (training.finetune, into --runs), and both classifiers, the published one and the
fine-tuned one, read the test set as it was painted. The same is done with the originals: without --qps as lossless PNG,
which tells what mere training gives; with --qps, for each setting, at that QP at which BPG of the held-out originals is
closest to its size, so that both can be compared at equal bits.

Everything is kept: what was painted, the runs, and the rows in a partial file beside --out, so that a call that was
killed, or that --minutes ended with status 75, is repeated until it ends with 0.
"""

import argparse
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from statistics import fmean

import numpy as np

from models.codecs import bpg
from models.codecs.bpg.codec import Chroma
from models.evaluation.compare import Setting
from models.evaluation.metrics import bits_per_pixel
from models.names import TRUECOLOR
from models.networks.classifiers import Classifier
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.zoo import checkpoint
from models.zoo.registry import Registry
from training import finetune, quantize_dataset
from training.cli import arguments, numbers
from training.cli.arguments import command, require_data
from training.data import workers
from training.data.datasets import load, mean_file_size
from training.data.workers import Images
from training.evaluate import harness
from training.evaluate.harness import words
from training.loop import fit
from training.loop.distributed import choose_device
from training.loop.finished_run import FinishedRun, as_checkpoint
from training.loop.log import minutes_passed
from training.loop.provenance import commit
from training.loop.scoring import evaluate, frozen_classifier
from training.quantize_dataset import BPG, Painting, Source
from training.report.finetuning import Tuned

COLORS = (2, 4, 8, 16, 32, 64)
_QPS = range(52)
_SAMPLED = 200  # held-out images whose size as BPG tells at which QP originals are as large as painted images
_PIECES = 8  # that they are coded in


@dataclass(frozen=True)
class Study:
    """Makes the row of a setting: paints, fine-tunes, and lets both classifiers read the test set.

    sizes: bits per pixel of BPG of the first held-out originals, by QP, as far as they were needed. folders: painted
    datasets that are known to be whole, by setting.
    """

    args: argparse.Namespace
    registry: Registry
    learned: LearnedQuantizer
    published: Classifier
    pool: Executor
    sizes: dict[int, float] = field(default_factory=dict)
    folders: dict[Setting, Path] = field(default_factory=dict)

    @cached_property
    def originals(self) -> Source:
        """The images as they are."""
        return Source.original(require_data(self.args), self.args, self.learned.size)

    def __call__(self, setting: Setting) -> Tuned:
        """Raises SystemExit with status 75 where the minutes end in the midst of fine-tuning."""
        folder = self.painted(setting)
        name = f"{self.args.classifier}-{folder.name}"
        out = self.args.runs / name
        after = finetune.main(self._tuning_flags(folder, out)).network
        # What is measured is what would ship: half precision.
        file = out / f"{name}.safetensors"
        sha256 = checkpoint.save(file, as_checkpoint(name, FinishedRun.read(out)), half=True)
        checkpoint.restore(after, checkpoint.load(file, sha256=sha256))
        device = choose_device(self.args.device)
        held_out, test = (load(folder, split, size=self.learned.size).to(device) for split in ("held_out", "test"))
        before = self.published
        return Tuned(
            name=name,
            sha256=sha256,
            method=setting.method,
            model=setting.model,
            colors=setting.colors,
            quality=setting.quality,
            images=len(test),
            bits_per_pixel=self._mean_bits(folder, "test"),
            top1_before=evaluate(before, test),
            top1_after=evaluate(after, test),
            held_out_before=evaluate(before, held_out),
            held_out_after=evaluate(after, held_out),
            painting_minutes=quantize_dataset.seconds(folder) / 60,
            minutes=fit.read_state(out)["seconds"] / 60,
        )

    def painted(self, setting: Setting) -> Path:
        """The folder of the painted dataset, made where it is not there yet."""
        if setting not in self.folders:
            folder = self.args.cache / _name(setting)
            chroma = self.args.chroma
            if setting.colors is None:
                self._paint(self.originals, Painting(setting, chroma=chroma), folder)
            elif setting.quality is None:
                sha256 = self.registry.entry(self.args.quantizer).sha256
                self._paint(self.originals, Painting(setting, sha256, chroma), folder)
            else:
                source = Source.painted(self.painted(Setting(setting.method, setting.model, setting.colors)))
                self._paint(source, Painting(Setting(BPG, quality=setting.quality), chroma=chroma), folder)
            self.folders[setting] = folder
        return self.folders[setting]

    def equal_rate(self, setting: Setting) -> Setting:
        """The originals at that QP at which they are about as large as the painted images."""
        # Of as many images as the originals' sizes: images differ in size more than neighboring QPs do.
        wanted = self._mean_bits(self.painted(setting), "held_out", _SAMPLED)
        above = bisect_right(_QPS, -wanted, key=lambda qp: -self._size(qp))  # the first QP that takes fewer bits
        neighbors = _QPS[max(0, above - 1) : above + 1]
        return Setting(BPG, quality=min(neighbors, key=lambda qp: abs(self._size(qp) - wanted)))

    def _size(self, qp: int) -> float:
        if qp not in self.sizes:
            images = self.originals.read("held_out").images[:_SAMPLED].permute(0, 2, 3, 1).numpy()
            pieces = np.array_split(images, min(len(images), _PIECES))
            bits = self.pool.map(partial(_bits, self.args.chroma, qp), pieces)
            self.sizes[qp] = fmean(chain.from_iterable(bits))
        return self.sizes[qp]

    def _paint(self, source: Source, painting: Painting, folder: Path) -> None:
        learned = self.learned if painting.setting.model else None
        quantize_dataset.paint(source, painting, learned, folder, self.pool)

    def _mean_bits(self, folder: Path, split: str, count: int | None = None) -> float:
        return 8 * mean_file_size(folder, split, count) / self.learned.size**2

    def _tuning_flags(self, data: Path, out: Path) -> list[str]:
        args = self.args
        values = {"data": data, "dataset": f"{args.dataset}-{data.name}", "classifier": args.classifier, "out": out}
        values["crop"] = self.learned.size // 8  # as in training on the originals
        values |= {name: getattr(args, name) for name in ("epochs", "batch", "lr", "seed", "device", "minutes")}
        shelf = ["--models", str(args.models)] if args.models else []
        return [*shelf, *(f"--{name}={value}" for name, value in values.items()), "--resume", "auto"]


def main(argv: Sequence[str] | None = None) -> list[Tuned]:
    """Parse flags, measure and write the JSON file."""
    args = _parser().parse_args(argv)
    require_data(args)
    registry = Registry.open(args.models)
    device = choose_device(args.device)
    learned = load_quantizer(registry, args.quantizer, device)
    published = frozen_classifier(registry, args.classifier).to(device)
    if published.config.size != learned.size:
        sizes = f"{published.config.size} pixels, {args.quantizer} paints {learned.size}"
        raise SystemExit(f"{args.classifier} reads images of {sizes}: choose two that were trained on one size")
    with workers.worker_pool(args.workers) as pool:
        study = Study(args, registry, learned, published, pool)
        head = _header(study)
        kept = harness.KeptRows(harness.kept_file(args.out), head, Tuned)
        rows = _rows(study, kept)
    kept.finish(args.out, rows)
    return rows


def _rows(study: Study, kept: harness.KeptRows[Tuned]) -> list[Tuned]:
    """Those of all settings; SystemExit with status 75 where the minutes are over before all are made."""
    rows: dict[Setting, Tuned] = {}
    begun = False
    for setting in _settings(study):
        row = kept.find(setting)
        if row is None:
            if begun and minutes_passed() > study.args.minutes:
                raise SystemExit(os.EX_TEMPFAIL)
            begun = True
            row = kept.add(study(setting))
        rows[setting] = row
    return list(rows.values())


def _header(study: Study) -> dict[str, object]:
    args = study.args
    test = study.originals.read("test").to(choose_device(args.device))
    names = (args.classifier, args.quantizer)
    return {
        "dataset": args.dataset,
        "split": "test",
        "images": len(test),
        "trained_on": study.originals.lengths["train"],
        "classifier": args.classifier,
        "quantizer": args.quantizer,
        "sha256": {name: study.registry.entry(name).sha256 for name in names},
        "tuning": {name: getattr(args, name) for name in ("epochs", "batch", "lr", "seed")},
        "chroma": ":".join(args.chroma),
        "top1_original": evaluate(study.published, test),
        "commit": commit(),
    }


def _settings(study: Study) -> Iterator[Setting]:
    """Of the flags, and after them the originals: fine-tuned on alike, and with a QP also of equal size."""
    args = study.args
    painted = [Setting(study.learned.name, args.quantizer, colors) for colors in args.colors]
    if not args.qps:
        yield from (*painted, Setting(TRUECOLOR))
    coded = [Setting(each.method, each.model, each.colors, qp) for each in painted for qp in args.qps]
    yield from coded
    yield from map(study.equal_rate, coded)


def _name(setting: Setting) -> str:
    """Of the folder of a painted dataset."""
    painted = f"k{setting.colors}" if setting.colors else "originals"
    return painted if setting.quality is None else f"{painted}-qp{setting.quality}"


def _bits(chroma: Chroma, qp: int, images: Images) -> list[float]:
    """Bits per pixel of BPG of each image."""
    height, width = images.shape[1:3]
    return [bits_per_pixel(len(bpg.encode(image, qp=qp, chroma=chroma)), height, width) for image in images]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.finetuning",
        description="Top-1 before and after fine-tuning the classifier on few-color images, as PNG or as BPG.",
    )
    harness.add_flags(parser)
    parser.add_argument("--quantizer", required=True, help="published learned quantizer that paints the images")
    parser.add_argument(
        "--colors", type=numbers.COLORS, nargs="+", default=COLORS, help=f"numbers of colors ({words(COLORS)})"
    )
    parser.add_argument(
        "--qps", type=int, nargs="*", choices=_QPS, metavar="QP", default=(), help="of BPG (none: indexed PNG)"
    )
    quantize_dataset.add_source_flags(parser)
    parser.add_argument("--epochs", type=numbers.COUNT, default=3, help="of fine-tuning (%(default)s)")
    parser.add_argument("--batch", type=numbers.COUNT, default=128, help="images in a batch (%(default)s)")
    parser.add_argument("--lr", type=numbers.WEIGHT, default=0.003, help="peak learning rate (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of fine-tuning (%(default)s)")
    arguments.add_minutes_flag(parser)
    cache = Path("runs", "cache")
    parser.add_argument("--cache", type=Path, default=cache, help="folder for painted datasets (%(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for the runs (%(default)s)")
    return parser


if __name__ == "__main__":
    command(main)
