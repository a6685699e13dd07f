"""Files of a run: the images among files and folders, and the output of each, decided before work begins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from service.cli.outcome import printable

STDIO = "-"

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".bpg", ".apng")
) | {".packed"}
"""Endings of the names of images in folders, in lower case; a file that is named is tried whatever its name."""


@dataclass(frozen=True)
class Task:
    """One image. source, output: paths; None for stdin and stdout."""

    source: Path | None
    output: Path | None

    @property
    def name(self) -> str:
        """Source as people see it."""
        return STDIO if self.source is None else str(self.source)


@dataclass(frozen=True)
class Outputs:
    """Where outputs go.

    file: path or "-" for stdout, of one image; None for names made from those of the images. folder: None for the
    folder of each image. ending: end of such a name, in place of the image's. force: whether files that exist are
    replaced.
    """

    file: str | None
    folder: Path | None
    ending: str
    force: bool


@dataclass(frozen=True)
class Plan:
    """Tasks to run, and the number of those whose output is there already."""

    tasks: tuple[Task, ...]
    existing: int


@dataclass(frozen=True)
class _Found:
    """An image, and its path relative to the folder that was given."""

    path: Path
    relative: Path


def plan(inputs: Sequence[str], outputs: Outputs, *, recursive: bool) -> Plan:
    """Decide what is read and written.

    Raises click.UsageError for inputs that would write one output, an output that is an input, a file that exists and
    is named as output, and for stdin among other inputs.
    """
    if STDIO in inputs:
        return _of_stdin(inputs, outputs)
    found = list(pictures(inputs, recursive=recursive, ending=outputs.ending))
    if outputs.file is not None:
        return _of_one(found, outputs)
    tasks = [Task(each.path, _output(each, outputs)) for each in found]
    _refuse_collisions(tasks, force=outputs.force)
    missing = [task for task in tasks if outputs.force or not (task.output and task.output.exists())]
    return Plan(tuple(missing), len(tasks) - len(missing))


def pictures(inputs: Iterable[str], *, recursive: bool, ending: str | None = None) -> Iterator[_Found]:
    """Yield the images among files and folders, each once, in the order of their names within a folder.

    ending: end of the names of outputs, which are no inputs; None where there are none.
    """
    seen: set[str] = set()
    for given in inputs:
        path = Path(given)
        for found in _in_folder(path, recursive, ending) if path.is_dir() else (_Found(path, Path(path.name)),):
            key = _key(found.path)
            if key not in seen:
                seen.add(key)
                yield found


def _in_folder(folder: Path, recursive: bool, ending: str | None) -> Iterator[_Found]:
    for parent, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith(".")) if recursive else []
        for name in sorted(names):
            is_image = Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
            if is_image and not (ending and name.endswith(ending) and name != ending):
                path = Path(parent, name)
                yield _Found(path, path.relative_to(folder))


def _output(found: _Found, outputs: Outputs) -> Path:
    relative = found.relative.with_name(found.relative.stem + outputs.ending)
    return outputs.folder / relative if outputs.folder else found.path.with_name(relative.name)


def _of_stdin(inputs: Sequence[str], outputs: Outputs) -> Plan:
    if len(inputs) > 1:
        raise click.UsageError("'-' reads one image from stdin; name no other file or folder beside it.")
    if outputs.folder:
        raise click.UsageError("'-' reads an image without a name; give -o FILE, or leave out --out-dir for stdout.")
    return Plan((Task(None, _named_output(outputs.file or STDIO, outputs.force)),), 0)


def _of_one(found: Sequence[_Found], outputs: Outputs) -> Plan:
    if outputs.file is None or len(found) != 1:
        raise click.UsageError(f"-o names one output, but there are {len(found)} images; use --out-dir.")
    if outputs.folder:
        raise click.UsageError("-o names the output; leave out --out-dir.")
    return Plan((Task(found[0].path, _named_output(outputs.file, outputs.force)),), 0)


def _named_output(file: str, force: bool) -> Path | None:
    if file == STDIO:
        return None
    if Path(file).exists() and not force:
        raise click.UsageError(f"{printable(file)} exists; give --force to replace it.")
    return Path(file)


def _key(path: Path) -> str:
    """Return a path that is equal for equal files; links stay, because another name is another file."""
    return os.path.normpath(path.absolute())


def _refuse_collisions(tasks: Sequence[Task], *, force: bool) -> None:
    sources = {_key(task.source) for task in tasks if task.source}
    writers: dict[str, Task] = {}
    for task in tasks:
        if task.output is None or task.source is None:
            continue
        key = _key(task.output)
        if key in writers:
            raise click.UsageError(
                f"{printable(writers[key].name)} and {printable(task.name)} would both write "
                f"{printable(str(task.output))}; rename one of them, or run them with another --out-dir or --ext."
            )
        writers[key] = task
        if key in sources and not (force and key == _key(task.source)):
            raise click.UsageError(
                f"{printable(task.name)} would write {printable(str(task.output))}, which is an input; give another "
                "--ext or --out-dir."
            )
