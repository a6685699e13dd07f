"""`colorcnn quantize`: images in, files of few colors out."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from service.cli import classical
from service.cli.facts import facts_of, line_of_file, line_of_report
from service.cli.files import Outputs, Plan, Task, plan
from service.cli.options import request_options
from service.cli.outcome import Outcome, Status, failed
from service.cli.run import read, run, run_together, store
from service.cli.shared import (
    inputs,
    output_options,
    outputs_of,
    run_options,
    server_options,
    target_of,
    terminal_of,
)
from service.client import AsyncClient, ColorCNNServiceError, ImageFile, Quantized, Skipped
from service.schemas.options import QuantizeOptions

_FORMATS = {"png": ".png", "webp": ".webp", "raw": ".bin", "packed": ".packed", "json": ".json"}
_WITHOUT = ("format",)
_UNSAFE = re.compile(r"[^\w.-]+")


@click.command(short_help="Reduce images to few colors that a neural network still recognizes.")
@inputs
@request_options(QuantizeOptions, without=_WITHOUT)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(list(_FORMATS)),
    default="png",
    help="Format of the outputs: indexed PNG, lossless WebP, indices without a header, the smallest file (packed), or "
    "the report with the PNG. [default: png]",
)
@output_options("-k4.png, with the number of colors and the format")
@run_options
@server_options
def command(**parameters: Any) -> None:
    """Reduce images to few colors that a neural network still recognizes.

    FILES are images of any accepted format, FOLDERS are searched for images, and - is one image on stdin, whose result
    goes to stdout. Each output lies beside its image, as NAME-k4.png, or in --out-dir.

    With a method that needs no network, such as halftone or kmeans, images are not recognized, unless --recognize,
    --keep or -k auto asks for it; torch is then not loaded.

    The exit status is 0; 98 if --skip-if-larger left a file out; 99 if an image missed --keep or --max-bytes, and
    nothing was written for it; 1 if an image failed; 2 for a wrong command line; 130 after Ctrl-C. With several
    results the first of 1, 99, 98 counts.

    \b
    colorcnn quantize -k 2 photo.jpg
    colorcnn quantize -k auto --keep 0.95 -r photos --out-dir small
    colorcnn quantize -m halftone --palette spectra6 --max-side 800 -o display.png photo.jpg
    curl -s https://example.org/photo.jpg | colorcnn quantize - > out.png
    """
    options, networks = classical.options_of(parameters, QuantizeOptions)
    outputs = outputs_of(parameters, _ending(parameters))
    work = plan(parameters["inputs"], outputs, recursive=parameters["recursive"])
    target = target_of(parameters, networks=networks)
    terminal = terminal_of(parameters, "written", on_stderr=any(task.output is None for task in work.tasks))
    writer = _Writer(parameters["file_format"], outputs)
    if options.get("shared_palette"):
        _refuse_parts(work)
        sys.exit(run_together(work.tasks, target, partial(_all, options=options, writer=writer), terminal))
    sys.exit(run(work.tasks, work.existing, target, partial(_one, options=options, writer=writer), terminal))


def _ending(parameters: Mapping[str, Any]) -> str:
    """Return the end of the names of outputs: the number of colors or the name of the palette, and the format."""
    palette, colors = parameters["palette"], parameters["colors"]
    middle = f"k{colors or QuantizeOptions.model_fields['colors'].default}"
    if colors == "auto":
        middle = "auto"
    elif palette and palette.lower().endswith(".gpl"):
        middle = Path(palette).stem
    elif palette and "," not in palette:
        middle = palette
    elif palette:
        middle = f"k{len(palette.split(','))}"
    return f"-{_UNSAFE.sub('_', middle)}{_FORMATS[parameters['file_format']]}"


@dataclass(frozen=True)
class _Writer:
    """Writes the outputs of a run in one format."""

    format: str
    outputs: Outputs

    async def write(self, task: Task, result: Quantized | ImageFile) -> Outcome:
        """Store the file of a result, unless it misses its goals."""
        facts: dict[str, Any]
        if isinstance(result, Quantized):
            report = result.report
            facts = report.model_dump(mode="json", exclude={"png"})
            data = report.model_dump_json().encode() + b"\n" if self.format == "json" else result.png
            met, text = report.goals_met, line_of_report(report)
        else:
            facts = facts_of(result)
            data, met, text = result.data, facts["goals_met"], line_of_file(facts, len(result.data))
        if met is False:
            return Outcome(task.name, Status.SHORT, f"falls short of its goal, nothing is written; {text}", facts=facts)
        output = await store(task, data, force=self.outputs.force)
        return Outcome(task.name, Status.DONE, text, output, facts)


async def _one(client: AsyncClient, task: Task, *, options: dict[str, Any], writer: _Writer) -> Outcome:
    skip = bool(options.get("skip_if_larger"))
    rest = {name: value for name, value in options.items() if name != "skip_if_larger"}
    kind: Any = "png" if writer.format == "json" else writer.format
    result = await client.quantize(read(task), format=kind, skip_if_larger=skip, **rest)
    if isinstance(result, Skipped):
        return Outcome(task.name, Status.LARGER, "; ".join(result.notes) or "the file would not be smaller")
    return await writer.write(task, result)


def _refuse_parts(work: Plan) -> None:
    """Raise click.UsageError where some of the images with one palette would be left out."""
    if work.existing:
        raise click.UsageError(f"{work.existing} outputs exist, and one palette needs all images; give --force.")


async def _all(
    client: AsyncClient, tasks: Sequence[Task], *, options: dict[str, Any], writer: _Writer
) -> list[Outcome]:
    """Quantize all images in one request, so that they get one palette."""
    rest = {name: value for name, value in options.items() if name != "shared_palette"}
    results = await client.quantize_many([read(task) for task in tasks], shared_palette=True, **rest)
    return [await _of_many(task, result, writer) for task, result in zip(tasks, results, strict=True)]


async def _of_many(task: Task, result: Quantized | ColorCNNServiceError, writer: _Writer) -> Outcome:
    if isinstance(result, ColorCNNServiceError):
        return failed(task.name, result)
    return await writer.write(task, result)
