"""Evaluation on Ray: workers measure parts of the test set, and their rows become one report.

OUT.rows/ holds evaluation.json, which describes the evaluation, and part-00017.parquet for each part. A file has one
row group for each setting, in the order of the report, and one row for each image: the attributes of
`models.evaluation.compare.Row` without the run time, and whether the classifier recognized the original.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from models.evaluation.compare import SUMMARIZED, Row, Setting, Summary, summarize_columns
from models.evaluation.report_kinds import Kind, head
from models.files import write_atomically
from models.recognizer import Recognizer, load_recognizer
from models.zoo.registry import Registry
from training.cli.evaluations import EvaluateOptions
from training.data.datasets import DatasetError, read
from training.data.layouts import ImageTable, find, require_classes
from training.data.workers import parts
from training.engines.quantized_blocks import require_weights
from training.engines.ray_workers import RayWorkers
from training.evaluate import harness
from training.evaluate.quantizers import TIMED, Measurer, networks_of, settings_of
from training.extras import pyarrow, rich
from training.loop.distributed import select_device
from training.loop.provenance import commit, describe

HEADER_FILE = "evaluation.json"
_RIGHT_BEFORE = "right_before"
_NOT_OF_AN_IMAGE = "milliseconds"


@dataclass(frozen=True)
class Part:
    """A part of the test set. number: of its first image. file: for its rows."""

    file: Path
    number: int
    images: ImageTable


@dataclass(frozen=True)
class PartMeasurer:
    """Measures parts of the test set in every setting."""

    recognizer: Recognizer
    networks: Mapping[tuple[str, str], Any]
    settings: Sequence[Setting]

    @classmethod
    def open(cls, options: EvaluateOptions, sha256: dict[str, str | None]) -> "PartMeasurer":
        """Load the models in another process than that of the command.

        sha256: hashes of all models, by name. Raises DatasetError if the weights there are others.
        """
        registry, device = Registry.open(options.models), select_device(options.device)
        require_weights(registry, sha256)
        networks = networks_of(options, registry, device)
        recognizer = load_recognizer(registry, options.classifier, device)
        return cls(recognizer, networks, settings_of(options, registry, networks))

    def __call__(self, part: Part) -> None:
        """Write the file of a part."""
        data = read(part.images, self.recognizer.size)
        tests = harness.TestSet.prepare(data, self.recognizer, part.number)
        measurer = Measurer(tests.images, tests.whole, self.networks, map)
        right = [sample.before.index == sample.truth for sample in tests.samples]
        write_rows(part.file, [tests.rows(setting, measurer(setting)) for setting in self.settings], right)


def evaluate(options: EvaluateOptions, registry: Registry) -> list[Summary]:
    """Measure every part that is not kept beside --out, time all settings, and write the JSON report.

    Raises DatasetError if the folder of the parts belongs to another evaluation.
    """
    # Run times are measured in this process, which may have no GPU where the workers have one.
    device = select_device("auto" if options.worker_gpus else options.device)
    recognizer, networks = load_recognizer(registry, options.classifier, device), networks_of(options, registry, device)
    settings = settings_of(options, registry, networks)
    images = find(options.folder.absolute(), "test")
    require_classes(images.classes, recognizer.classes)

    described = harness.describe_models(len(images), settings, options, registry)
    folder = options.out.absolute().with_name(f"{options.out.name}.rows")
    claim(folder, described | {"settings": [asdict(setting) for setting in settings], "commit": commit()})
    every = _parts(folder, images)
    cluster = _measure([part for part in every if not part.file.exists()], options, described["sha256"])

    files = [part.file for part in every]
    top1 = float(np.mean(list(_column(files, 0, _RIGHT_BEFORE))))
    rows = [summary(files, index, setting) for index, setting in enumerate(settings)]
    first = read(images.select(np.arange(len(images))[:TIMED]), recognizer.size)
    pixels = first.images.permute(0, 2, 3, 1).numpy()
    rows = harness.timed(rows, Measurer(pixels, recognizer.views, networks, map))
    header = head(Kind.EVALUATION) | described | {"top1_original": top1, "commit": commit()}
    harness.write_report(options.out, {**header, **describe(), **header, "engine": "ray", **cluster}, rows)
    harness.show(top1, rows)
    return rows


def write_rows(file: Path, rows: Sequence[Sequence[Row]], right_before: Sequence[bool]) -> None:
    """Write the rows of a part, (settings, images), into a Parquet file. right_before: (images,), of the originals."""
    pa = pyarrow()
    schema = _schema(pa)
    buffer = BytesIO()
    with pa.parquet.ParquetWriter(buffer, schema) as writer:
        for of_setting in rows:
            columns = {name: [getattr(row, name) for row in of_setting] for name in schema.names[:-1]}
            writer.write_table(pa.table(columns | {_RIGHT_BEFORE: right_before}, schema))
    write_atomically(file, buffer.getvalue())


def _schema(pa: Any) -> Any:
    """Return the columns: the attributes of a row of one image, then whether its original was recognized."""
    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    named = Row.__dataclass_fields__.values()
    columns = {
        field.name: kinds[str(getattr(field.type, "__name__", field.type)).removesuffix(" | None")]
        for field in named
        if field.name not in ("_", _NOT_OF_AN_IMAGE)
    }
    return pa.schema(list((columns | {_RIGHT_BEFORE: pa.bool_()}).items()))


def _measure(missing: Sequence[Part], options: EvaluateOptions, sha256: Mapping[str, str]) -> dict[str, int]:
    """Measure the missing parts; return the number of workers and machines, 0 where nothing was missing."""
    if not missing:
        return {"workers": 0, "machines": 0}
    make = partial(PartMeasurer.open, _for_workers(options), dict(sha256))
    with RayWorkers.started(options) as engine:
        done = engine.map(make, missing)
        for _ in rich.progress.track(done, options.out.name, total=len(missing), transient=True):
            pass
        return {"workers": engine.count, "machines": engine.machines}


def _for_workers(options: EvaluateOptions) -> EvaluateOptions:
    """Return the options with paths that do not depend on the folder that a process runs in."""
    return options.replace(models=options.models and options.models.absolute())


def _parts(folder: Path, images: ImageTable) -> list[Part]:
    numbers = enumerate(parts(np.arange(len(images))))
    return [Part(folder / f"part-{index:05}.parquet", int(part[0]), images.select(part)) for index, part in numbers]


def claim(folder: Path, described: Mapping[str, Any]) -> None:
    """Make the folder of the rows of an evaluation; raises DatasetError if it belongs to another one."""
    file = folder / HEADER_FILE
    header = json.loads(json.dumps(described))
    if file.exists():
        if json.loads(file.read_bytes()) != header:
            raise DatasetError(
                f"{folder} holds rows of other data, models, settings or code: delete it, or choose another --out"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(file, (json.dumps(header, indent=1) + "\n").encode())


def summary(files: Sequence[Path], index: int, setting: Setting) -> Summary:
    """Return the means of the setting with that index, as `harness.TestSet.summary` does."""
    measured = (name for name in SUMMARIZED if name != _NOT_OF_AN_IMAGE)
    columns: dict[str, list[Any]] = {name: list(_column(files, index, name)) for name in measured}
    return summarize_columns(setting, columns | {_NOT_OF_AN_IMAGE: [0.0] * len(columns["kept"])})


def _column(files: Sequence[Path], index: int, name: str) -> Iterator[Any]:
    """Yield a column of the setting with that index, over all parts."""
    pa = pyarrow()
    for file in files:
        yield from pa.parquet.ParquetFile(file).read_row_group(index, columns=[name])[name].to_pylist()
