"""Measurement of what classifiers recognize in photographs of few colors, by method, size and classifier.

    python -m training.evaluate.photographs --photos DATA/ilsvrc2012-val --labels DATA/ilsvrc2012-val/dataset.txt \\
        --skip 640 --images 660 --classifier imagenet-efficientnet-lite0 --involved imagenet-efficientnet-lite1 \\
        --foreign imagenet-efficientnet-lite2 --colors 2 4 16 --sides 256 512 --out docs/results/data/photographs.json

Each photograph is decoded and scaled so that its shorter side has --sides pixels. Every method quantizes it; the result
is written as an indexed PNG and read back. Every classifier reads the file and the scaled original. A prediction is
kept if both have the same likeliest class; with --labels the true class is compared too. Codecs without a palette go
the same way. With --palette the methods map to fixed colors; its measurements need a file of --rows of their own.

Measurements are lines of --rows, one for each photograph, size and method. A command measures only what the file lacks,
so a killed run can continue, and several commands may fill one file at once, each with other methods. Delete the lines
of a method whose code has changed; the report names the commits.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from models.evaluation.compare import Setting
from models.evaluation.report_kinds import Kind, head
from models.evaluation.report_rows import PhotographRow, Role
from models.palettes import parse_palette
from training.cli import command_line
from training.cli.evaluations import LearnedMethod, Quality
from training.cli.options import ModelsOptions, WorkersOptions
from training.cli.quantizers import METHODS, METHODS_WITH_PALETTE, PaletteText, UntrainedMethod
from training.cli.session import registry_of
from training.data import workers
from training.data.datasets import DatasetError
from training.data.options import DatasetName
from training.data.photographs import Photograph, photographs
from training.evaluate import harness, photograph_summary
from training.evaluate.photograph_measurements import (
    ORIGINAL,
    Bench,
    Measurement,
    MeasurementFile,
    Task,
)
from training.extras import rich
from training.loop.provenance import commit, describe
from training.options import Count, CountOrZero, Fraction, SomeColors

Refined = Literal["refined", "refined_fast"]
"""One of models.names.PHOTOGRAPH_METHODS."""
Cell = Annotated[str, Field(pattern=r"^\d+:\d+$")]
"""A side and a number of colors, SIDE:COLORS."""


class PhotographsOptions(ModelsOptions, WorkersOptions, DatasetName):
    """Measure what classifiers recognize in photographs of few colors, by method, size and classifier."""

    photos: Path
    """Folder of image files, read in the order of their names."""
    labels: Path | None = None
    """Text file with a line "FILE, INDEX OF THE TRUE CLASS" for each photograph; it replaces the order of the names."""
    skip: CountOrZero = 0
    """Photographs at the beginning that are left out."""
    images: Count = 500
    """Largest number of photographs."""
    sides: tuple[Count, ...] = (448,)
    """Pixels that the shorter side of a photograph is scaled to, one after the other."""
    classifier: str
    """Classifier whose view is compared; encoder or goal of the methods that have one."""
    involved: tuple[str, ...] = ()
    """Further classifiers that some method follows."""
    foreign: tuple[str, ...] = ()
    """Classifiers that no method knows."""
    imported: Path | None = None
    """Folder of models with further classifiers, as training.import_classifier writes it."""
    quantizer: str | None = None
    """Published learned quantizer to measure."""
    ways: tuple[LearnedMethod, ...] = ("colorcnn",)
    """Methods of the learned quantizer."""
    methods: tuple[UntrainedMethod, ...] = ("kmeans", "median_cut_dither", "halftone")
    """Quantizers that need no trained quantizer; refined ones follow --classifier and --involved."""
    alone: tuple[Refined, ...] = ()
    """Refined quantizers that follow --classifier alone."""
    fidelities: tuple[Fraction, ...] = ()
    """Further fidelities of the refined quantizers among --methods, which have 0 otherwise."""
    colors: SomeColors = (2, 4, 16)
    """Numbers of colors."""
    palette: PaletteText | None = None
    """Fixed palette of all methods, a name such as spectra6 or colors; its number of colors replaces --colors."""
    cells: tuple[Cell, ...] = ()
    """Pairs SIDE:COLORS of --sides and --colors to measure, for instance 512:2; every pair by default."""
    codecs: tuple[Literal["jpeg", "webp", "avif", "jxl"], ...] = ()
    """Codecs without a palette to measure beside the methods."""
    qualities: tuple[Quality, ...] = (1, 5, 15, 35, 65)
    """Qualities of the codecs, 1 to 100."""
    against: tuple[UntrainedMethod, ...] = ("kmeans",)
    """Methods that the others are compared with in pairs."""
    rows: Path | None = None
    """File of measurements, which is kept; by default a file beside --out, which is deleted at the end."""
    report_only: bool = False
    """Measure nothing; report what --rows holds, also for settings that lack photographs or all of them."""
    out: Path
    """JSON file for the results."""

    @model_validator(mode="after")
    def _check_palette(self) -> Self:
        known = METHODS if self.palette is None else METHODS_WITH_PALETTE
        ways = self.ways if self.palette and self.quantizer else ()
        for method in (*ways, *self.methods):
            if method not in known:
                fault = "needs --palette" if self.palette is None else "does not support --palette"
                raise ValueError(f"the method {method} {fault}; those that do are {', '.join(known)}")
        return self

    @property
    def readers(self) -> Mapping[str, Role]:
        """Every classifier with its part, first the own one. The first part that names a classifier counts."""
        named: tuple[tuple[Role, Sequence[str]], ...] = (
            ("own", (self.classifier,)),
            ("involved", self.involved),
            ("foreign", self.foreign),
        )
        found: dict[str, Role] = {}
        for role, names in named:
            for name in names:
                found.setdefault(name, role)
        return found

    def settings(self, side: int) -> list[Setting]:
        """Return every setting of a side, first the photographs themselves."""
        numbers = self.colors if self.palette is None else (len(parse_palette(self.palette)),)
        colors_here = [k for k in numbers if not self.cells or f"{side}:{k}" in self.cells]
        learned = [(way, self.quantizer) for way in self.ways if self.quantizer]
        alone = [(method, self.classifier) for method in self.alone]
        quantizers = [*learned, *((method, None) for method in self.methods), *alone]
        faithful = [
            (method, share) for method in self.methods for share in self.fidelities if method in get_args(Refined)
        ]
        return [
            ORIGINAL,
            *(Setting(method, model, colors) for method, model in quantizers for colors in colors_here),
            *(Setting(method, None, colors, fidelity=share) for method, share in faithful for colors in colors_here),
            *(Setting(codec, quality=quality) for codec in self.codecs for quality in self.qualities),
        ]


def main(argv: Sequence[str] | None = None) -> list[PhotographRow]:
    """Run the measurement of a command line and write the JSON file."""
    options = command_line.parse(PhotographsOptions, "training.evaluate.photographs", argv)
    chosen = photographs(options.photos, options.labels, options.skip, options.images)
    header = _header(options, chosen)
    followed = tuple(name for name, role in options.readers.items() if role != "foreign")
    bench = Bench(options.models, options.imported, tuple(options.readers), followed, commit(), options.palette)
    file = MeasurementFile(options.rows or harness.kept_file(options.out))
    tasks = [] if options.report_only else list(_tasks(options, chosen, file))
    with workers.worker_pool(options.workers) as pool:
        working = [pool.submit(bench.measure, task) for task in tasks]
        for done in rich.progress.track(as_completed(working), "photographs", total=len(working), transient=True):
            file.add(done.result())
    table = _table(options, chosen, file)
    rows = photograph_summary.rows(table, options.readers)
    differences = photograph_summary.differences(table, options.readers, options.against)
    described = {
        **header,
        **describe(),
        "commits": _commits(table),
        "differences": [asdict(each) for each in differences],
    }
    harness.write_report(options.out, described, rows)
    if options.rows is None:
        file.file.unlink()
    return rows


def _tasks(options: PhotographsOptions, chosen: Sequence[Photograph], file: MeasurementFile) -> Iterator[Task]:
    """Yield what is missing, photograph by photograph, so that a study that is cut off has whole photographs."""
    for photograph in chosen:
        for side in options.sides:
            kept = {setting: file.find(photograph, side, setting) for setting in options.settings(side)}
            missing = tuple(setting for setting, one in kept.items() if not _complete(one, options.readers))
            if missing:
                yield Task(photograph, side, missing)


def _complete(measured: Measurement | None, readers: Mapping[str, Role]) -> bool:
    return measured is not None and readers.keys() <= measured.classes.keys()


def _table(
    options: PhotographsOptions, chosen: Sequence[Photograph], file: MeasurementFile
) -> photograph_summary.Table:
    """Return what the file holds of the chosen photographs. Raises DatasetError if that is nothing."""
    found: dict[tuple[int, Setting], dict[str, Measurement]] = {}
    for side in options.sides:
        for setting in options.settings(side):
            for photograph in chosen:
                measured = file.find(photograph, side, setting)
                if measured is not None and _complete(measured, options.readers):
                    found.setdefault((side, setting), {})[measured.photograph] = measured
    if not found:
        raise DatasetError(f"{file.file} holds no measurement of these photographs and classifiers")
    return found


def _commits(table: photograph_summary.Table) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for (_, setting), measured in table.items():
        found.setdefault(setting.method, set()).update(one.commit for one in measured.values())
    return {method: sorted(commits) for method, commits in found.items()}


def _header(options: PhotographsOptions, chosen: Sequence[Photograph]) -> dict[str, Any]:
    """Return what the report says of its conditions. Raises UnknownModel for a name that no folder has."""
    names = [name for name in (*options.readers, options.quantizer) if name]
    entries = [registry_of(options.models, options.imported, name).entry(name) for name in names]
    order = "by name" if options.labels is None else "of the labels"
    return head(Kind.PHOTOGRAPHS) | {
        "dataset": options.dataset or options.photos.absolute().name,
        "split": f"files {options.skip + 1} to {options.skip + len(chosen)} {order}",
        "images": len(chosen),
        "classifier": options.classifier,
        "quantizer": options.quantizer,
        "palette": options.palette,
        "sha256": {entry.name: entry.sha256 for entry in entries},
    }


if __name__ == "__main__":
    command_line.run(main)
