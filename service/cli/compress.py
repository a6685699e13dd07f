"""`colorcnn compress`: images in, BPG files out."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import click

from service.cli import classical
from service.cli.facts import facts_of, line_of_file
from service.cli.files import Outputs, Task, plan
from service.cli.options import request_options
from service.cli.outcome import Outcome, Status, saving
from service.cli.run import read, run, store
from service.cli.shared import (
    inputs,
    output_options,
    outputs_of,
    run_options,
    server_options,
    target_of,
    terminal_of,
)
from service.client import AsyncClient
from service.schemas.options import CompressOptions
from service.schemas.reports import CompressReport

_FORMATS = {"bpg": ".bpg", "png": "-bpg.png", "json": ".json"}


@click.command(short_help="Store images as BPG, quantized before.")
@inputs
@request_options(CompressOptions, without=("format",))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(list(_FORMATS)),
    default="bpg",
    help="Format of the outputs: BPG, the decoded BPG file as a PNG, or a report that holds all files and compares "
    "them with the image. [default: bpg]",
)
@output_options(".bpg, or that of the format")
@run_options
@server_options
def command(**parameters: Any) -> None:
    """Quantize images and store them as BPG.

    With a method that needs no network, images are not recognized unless --recognize asks for it. Exit status as of
    colorcnn quantize.

    \b
    colorcnn compress -k 2 --qp 36 photo.jpg
    colorcnn compress -m kmeans --mode auto -r photos --out-dir small
    colorcnn compress --format json -o - photo.jpg
    """
    options, networks = classical.options_of(parameters, CompressOptions)
    outputs = outputs_of(parameters, _FORMATS[parameters["file_format"]])
    work = plan(parameters["inputs"], outputs, recursive=parameters["recursive"])
    target = target_of(parameters, networks=networks)
    terminal = terminal_of(parameters, "written", on_stderr=any(task.output is None for task in work.tasks))
    one = partial(_one, options=options, outputs=outputs, file_format=parameters["file_format"])
    sys.exit(run(work.tasks, work.existing, target, one, terminal))


async def _one(
    client: AsyncClient, task: Task, *, options: dict[str, Any], outputs: Outputs, file_format: Any
) -> Outcome:
    if file_format == "json":
        report = (await client.compress(read(task), **options)).report
        output = await store(task, report.model_dump_json().encode() + b"\n", force=outputs.force)
        facts = report.model_dump(mode="json", exclude={"files"})
        return Outcome(task.name, Status.DONE, _line(report), output, facts)
    result = await client.compress_file(read(task), file_format, **options)
    output = await store(task, result.data, force=outputs.force)
    facts = facts_of(result)
    facts["upload_bytes"] = task.source.stat().st_size if task.source else None
    return Outcome(task.name, Status.DONE, line_of_file(facts, len(result.data)), output, facts)


def _line(report: CompressReport) -> str:
    sizes = saving(report.original.bytes, report.quantized_bpg.bytes)
    words = [sizes, f"{report.colors} colors", report.method, f"original as BPG {report.original_bpg.bytes:,} bytes"]
    if report.original.label:
        words.append(f"{report.original.label} -> {report.quantized_bpg.label}")
    return ", ".join([*words, *report.notes])
