"""JSON reports of measurements: a frozen dataclass for each kind that tables and figures use.

Every report begins with its `kind` and the version of its schema; see `report_kinds.head`. `read` and `parse` return
the dataclass of a report, `to_json` returns its JSON object.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from models.errors import ColorCNNError
from models.evaluation.compare import Summary
from models.evaluation.report_kinds import SCHEMA_VERSION, Kind, head
from models.evaluation.report_rows import (
    BytesRow,
    FinetuningRow,
    PaletteModeRow,
    PhotographDifference,
    PhotographRow,
    PublishedRow,
    RobustnessRow,
)


class BadReport(ColorCNNError):
    """A JSON object is not a report, or its kind of report has no dataclass."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Base of the reports of every kind."""

    kind: ClassVar[Kind]


@dataclass(frozen=True, kw_only=True)
class PublishedReport(Report):
    """Results that others published. about: one sentence on their protocol."""

    kind: ClassVar[Kind] = Kind.PUBLISHED
    about: str
    rows: tuple[PublishedRow, ...]


@dataclass(frozen=True, kw_only=True)
class MeasuredReport(Report):
    """Results of a script on a dataset.

    command: the shell command. commit: last commit of the measuring code. split: part of the dataset. quantizer:
    checkpoint of the learned quantizer, if one was measured.
    """

    command: str
    commit: str
    hardware: str
    torch: str
    dataset: str
    split: str
    quantizer: str | None


@dataclass(frozen=True, kw_only=True)
class PaletteModesReport(MeasuredReport):
    """Sizes of BPG files that preserve the index map, by training.evaluate.palette_modes."""

    kind: ClassVar[Kind] = Kind.PALETTE_MODES
    rows: tuple[PaletteModeRow, ...]


@dataclass(frozen=True, kw_only=True)
class PhotographsReport(MeasuredReport):
    """Predictions that photographs keep in few colors, by training.evaluate.photographs.

    images: number of photographs. classifier: the own one, whose view is compared. sha256: hashes of all checkpoints,
    by name. commits: of the code that measured, by method. differences: of methods, in equal numbers of colors.
    palette: fixed one of all methods, as text; None where they choose the colors.
    """

    kind: ClassVar[Kind] = Kind.PHOTOGRAPHS
    images: int
    classifier: str
    sha256: Mapping[str, str]
    rows: tuple[PhotographRow, ...]
    commits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    differences: tuple[PhotographDifference, ...] = ()
    palette: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClassifiedReport(MeasuredReport):
    """Results that involve a classifier.

    images: images of the split. classifier: its checkpoint. sha256: hashes of all checkpoints, by name. top1_original:
    share of the originals that the classifier recognizes, 0 to 1.
    """

    images: int
    classifier: str
    sha256: Mapping[str, str]
    top1_original: float

    @property
    def subject(self) -> str:
        """Name of the dataset, the images and the classifier, for the subtitle of a figure."""
        return f"{self.dataset}, {self.images:,} images of {self.split}, {self.classifier}"


@dataclass(frozen=True, kw_only=True)
class BytesReport(ClassifiedReport):
    """Recognition in files of at most `budget` bytes, by training.evaluate.bytes.

    originals: share of the originals that each classifier recognizes, 0 to 1, by its name, the own one first.
    """

    kind: ClassVar[Kind] = Kind.BYTES
    budget: int
    originals: Mapping[str, float]
    rows: tuple[BytesRow, ...]


@dataclass(frozen=True, kw_only=True)
class SummaryReport(ClassifiedReport):
    """Results whose rows are means over all images of a setting. seeds: training seeds, by checkpoint."""

    seeds: Mapping[str, int]
    rows: tuple[Summary, ...]


@dataclass(frozen=True, kw_only=True)
class EvaluationReport(SummaryReport):
    """Quantizers and codecs over a whole test set, by training.evaluate."""

    kind: ClassVar[Kind] = Kind.EVALUATION


@dataclass(frozen=True, kw_only=True)
class BpgReport(SummaryReport):
    """BPG of palettes and of originals at every QP, by training.evaluate.bpg. codec: for instance "BPG 4:2:0"."""

    kind: ClassVar[Kind] = Kind.BPG
    codec: str


@dataclass(frozen=True, kw_only=True)
class FidelityReport(SummaryReport):
    """A learned quantizer at several fidelities, by training.evaluate.fidelity."""

    kind: ClassVar[Kind] = Kind.FIDELITY


@dataclass(frozen=True, kw_only=True)
class FinetuningReport(ClassifiedReport):
    """A classifier before and after fine-tuning on indexed PNGs, by training.evaluate.finetuning.

    trained_on: number of training images. tuning: options of the fine-tuning, by name. chroma: subsampling of BPG.
    """

    kind: ClassVar[Kind] = Kind.FINETUNING
    trained_on: int
    tuning: Mapping[str, float]
    chroma: str
    rows: tuple[FinetuningRow, ...]


@dataclass(frozen=True, kw_only=True)
class FinetuningBpgReport(FinetuningReport):
    """A classifier before and after fine-tuning on BPG files; each setting also has originals of about equal size."""

    kind: ClassVar[Kind] = Kind.FINETUNING_BPG


@dataclass(frozen=True, kw_only=True)
class RobustnessReport(ClassifiedReport):
    """Top-1 under attack, by training.evaluate.robustness.

    seeds: training seeds, by checkpoint. epsilons: largest changes of a value in levels of 8 bits, rising. steps,
    restarts, seed: of the attacks.
    """

    kind: ClassVar[Kind] = Kind.ROBUSTNESS
    seeds: Mapping[str, int]
    epsilons: tuple[int, ...]
    steps: int
    restarts: int
    seed: int
    rows: tuple[RobustnessRow, ...]


TYPED: Mapping[Kind, type[Report]] = {
    each.kind: each
    for each in (
        EvaluationReport,
        BpgReport,
        PaletteModesReport,
        FidelityReport,
        FinetuningReport,
        FinetuningBpgReport,
        PhotographsReport,
        RobustnessReport,
        BytesReport,
        PublishedReport,
    )
}
"""The dataclass of each kind that has tables of its own, or that appears in the tables of another kind."""


def kind_of(content: object) -> Kind:
    """Return the kind of a report.

    content: the parsed JSON file of the report. Raises BadReport if it has no known kind, or another schema version.
    """
    if not isinstance(content, Mapping) or "kind" not in content:
        raise BadReport('this is not a report: it has no "kind"; measure again with the present version')
    if content["kind"] not in list(Kind):
        raise BadReport(f"a report of kind {content['kind']!r} is unknown; known kinds are {', '.join(Kind)}")
    if (version := content.get("schema_version")) != SCHEMA_VERSION:
        raise BadReport(f"this report has schema version {version!r}, not {SCHEMA_VERSION}; measure again")
    return Kind(content["kind"])


def read(file: Path) -> Report:
    """Return the report in a JSON file. Raises BadReport for an unreadable file, or as `parse` does."""
    content = load(file)
    try:
        return parse(content)
    except BadReport as error:
        raise BadReport(f"{file}: {error}") from None


def load(file: Path) -> object:
    """Return the parsed content of a JSON file. Raises BadReport if the file cannot be read or parsed."""
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise BadReport(f"{file} cannot be read ({error})") from None


def parse(content: object) -> Report:
    """Return the report that a JSON object holds.

    Raises BadReport if the object is not a report, lacks a value, or is of a kind without a dataclass.
    """
    kind = kind_of(content)
    if kind not in TYPED:
        raise BadReport(f"a report of kind {kind.value!r} has no tables here; print it with the command that wrote it")
    try:
        return TypeAdapter(TYPED[kind]).validate_python(content)
    except ValidationError as error:
        errors = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:_MAX_ERRORS])
        raise BadReport(f"this report of kind {kind.value!r} is damaged ({errors})") from None


_MAX_ERRORS = 3  # in one message


def to_json(report: Report) -> dict[str, Any]:
    """Return the JSON object of a report."""
    return head(report.kind) | asdict(report)
