"""Documents with generated parts: the content of their markers, and the check for stale parts."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from docs.generator import mutant_tables, reference, result_tables, service_tables, surfaces
from docs.generator.figures import drawn, figure_file, is_fresh
from docs.generator.import_table import imports
from docs.generator.markers import Marker, MarkerError, fill, markers_of
from docs.generator.measured import copies
from docs.generator.quantities import value
from docs.generator.reports import ROOT, benchmark_table

BLOCKS: Mapping[str, Callable[..., str]] = {
    "table": result_tables.evaluation,
    "rows": result_tables.all_rows,
    "curve": result_tables.learning_curve,
    "targets": result_tables.targets,
    "benchmark": benchmark_table,
    "isolation": service_tables.isolation,
    "large-images": service_tables.large_images,
    "soak": service_tables.soak,
    "endurance": service_tables.endurance,
    "cluster": service_tables.cluster,
    "cluster-events": service_tables.cluster_events,
    "fuzz": service_tables.fuzz,
    "fuzz-statuses": service_tables.fuzz_statuses,
    "mutants": mutant_tables.mutants,
    "survivors": mutant_tables.survivors,
    "settings": reference.settings,
    "endpoints": reference.endpoints,
    "options": reference.options,
    "protocol_outputs": reference.protocol_outputs,
    "formats": reference.formats,
    "problems": reference.problems,
    "methods": reference.methods,
    "models": reference.models,
    "palettes": reference.palettes,
    "surfaces": surfaces.surfaces,
    "imports": imports,
}
"""Functions that write a block, by the first word of its marker; `figure` is handled separately."""


def documents() -> list[Path]:
    """Return the Markdown files that may hold generated parts."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])


def write() -> list[Path]:
    """Rewrite every generated part and every figure; returns the changed files."""
    return [*_write_texts(), *_write_figures(), *_write_copies()]


def stale() -> list[str]:
    """Return what `write` would change, and every marker that names an unknown block or value."""
    return [*_stale_texts(), *_stale_figures(), *_stale_copies()]


def _stale_texts() -> Iterator[str]:
    for document in documents():
        text = document.read_text()
        try:
            if generated(document, text) != text:
                yield f"{document.relative_to(ROOT)} is stale"
        except ValueError as error:
            yield str(error)


def _stale_figures() -> Iterator[str]:
    for names, ending in _figures():
        with suppress(ValueError):  # an unknown figure, which the check of the text reports
            if not is_fresh(names, ending):
                yield f"{figure_file(names, ending).relative_to(ROOT)} is stale"


def _write_texts() -> Iterator[Path]:
    for document in documents():
        text = document.read_text()
        now = generated(document, text)
        if now != text:
            document.write_text(now)
            yield document


def _write_figures() -> Iterator[Path]:
    for names, ending in _figures():
        if not is_fresh(names, ending):
            file = figure_file(names, ending)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(drawn(names, ending))
            yield file


def _stale_copies() -> Iterator[str]:
    for file, text in copies():
        if not file.is_file() or file.read_text() != text:
            yield f"{file.relative_to(ROOT)} is stale"


def _write_copies() -> Iterator[Path]:
    for file, text in copies():
        if not file.is_file() or file.read_text() != text:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            yield file


def generated(document: Path, text: str) -> str:
    """Return the text of a document with every generated part rewritten.

    Raises ValueError, which names the document and the marker, if a marker names an unknown block or value.
    """

    def part(marker: Marker) -> str:
        try:
            return _part(document, marker)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{document.relative_to(ROOT)}: {' '.join(marker.words)}: {error}") from error

    try:
        return fill(text, part)
    except MarkerError as error:
        raise ValueError(f"{document.relative_to(ROOT)}: {error}") from error


def _part(document: Path, marker: Marker) -> str:
    name, *words = marker.words
    if marker.inline:
        return value(name, *words)
    if name == "figure":
        return _link(document, *words)
    if name not in BLOCKS:
        raise ValueError(f"there is no block {name!r}, only figure, {', '.join(BLOCKS)}")
    return BLOCKS[name](*words)


def _link(document: Path, names: str, ending: str, caption: str) -> str:
    path = os.path.relpath(figure_file(names, ending), document.parent)
    return f"![{caption}]({Path(path).as_posix()})"


def _figures() -> list[tuple[str, str]]:
    """Return (report names, ending) of every figure that a document shows, without repetitions."""
    shown = [
        (words[1], words[2])
        for document in documents()
        for marker in markers_of(document.read_text())
        if (words := marker.words)[0] == "figure"
    ]
    return list(dict.fromkeys(shown))
