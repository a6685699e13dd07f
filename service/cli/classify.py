"""`colorcnn classify`: what a network sees in images."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import click

from service.cli.files import STDIO, Outputs, Plan, Task, pictures, plan
from service.cli.options import given, request_options
from service.cli.outcome import Outcome, Status
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
from service.schemas.options import ClassifyOptions

_MAP_ENDING = "-cam.png"


@click.command(short_help="Name what a neural network sees in images.")
@inputs
@request_options(ClassifyOptions, without=("format",))
@output_options(f"{_MAP_ENDING}, for activation maps")
@run_options
@server_options
def command(**parameters: Any) -> None:
    """Name what a neural network sees in images: classes and their probabilities, the most probable first.

    With --cam CLASS or --cam top, the activation map of the class is written beside each image, as NAME-cam.png, or to
    -o or --out-dir: it shows where the network finds evidence for the class.

    \b
    colorcnn classify photo.jpg
    colorcnn classify --top-k 1 --json -r photos
    colorcnn classify --cam tabby -o map.png photo.jpg
    """
    options = given(parameters, ClassifyOptions)
    outputs = outputs_of(parameters, _MAP_ENDING)
    work = _plan(parameters, outputs, drawn="cam" in options)
    on_stderr = "cam" in options and any(task.output is None for task in work.tasks)
    terminal = terminal_of(parameters, "classified", on_stderr=on_stderr)
    target = target_of(parameters, networks=True)
    sys.exit(run(work.tasks, work.existing, target, partial(_one, options=options, outputs=outputs), terminal))


def _plan(parameters: dict[str, Any], outputs: Outputs, *, drawn: bool) -> Plan:
    if drawn:
        return plan(parameters["inputs"], outputs, recursive=parameters["recursive"])
    if outputs.file or outputs.folder:
        raise click.UsageError("-o and --out-dir are for activation maps; give --cam CLASS or --cam top, too.")
    if STDIO in parameters["inputs"]:
        return plan([STDIO], Outputs(STDIO, None, "", True), recursive=False)
    found = pictures(parameters["inputs"], recursive=parameters["recursive"])
    return Plan(tuple(Task(each.path, None) for each in found), 0)


async def _one(client: AsyncClient, task: Task, *, options: dict[str, Any], outputs: Outputs) -> Outcome:
    result = await client.classify(read(task), **options)
    report = result.report
    facts = report.model_dump(mode="json", exclude={"cam": {"png"}})
    text = ", ".join(f"{each.label} {each.probability:.2f}" for each in report.predictions)
    output = await store(task, result.cam, force=outputs.force) if result.cam else None
    return Outcome(task.name, Status.DONE, text, output, facts)
