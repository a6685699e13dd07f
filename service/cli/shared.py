"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from models.threads import available_cpus
from service.cli.files import Outputs
from service.cli.session import Target
from service.cli.terminal import Terminal
from service.client.configuration import DEFAULT_TIMEOUT

Function = TypeVar("Function", bound=Callable[..., Any])

_JOBS = 4  # images at once, where the machine has so many CPUs


def decorated(*decorators: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Return one decorator in place of several, the first of which is the first in the help."""
    return lambda function: reduce(lambda done, decorate: decorate(done), reversed(decorators), function)


def inputs(function: Function) -> Function:
    """Add the argument of files and folders."""
    return click.argument("inputs", nargs=-1, required=True, metavar="FILES|FOLDERS|-", type=click.Path())(function)


def server_options(function: Function) -> Function:
    """Add the options of a running service."""
    return decorated(
        click.option("--server", metavar="URL", help="Send the images to this service instead of working here."),
        click.option(
            "--api-key",
            metavar="KEY",
            envvar="COLORCNN_API_KEY",
            help="API key of the service. [env: COLORCNN_API_KEY]",
        ),
        click.option(
            "--timeout",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            default=DEFAULT_TIMEOUT,
            help="Time that one image may take there, waits included. [default: 180]",
        ),
    )(function)


def run_options(function: Function) -> Function:
    """Add the options of a run over many images."""
    return decorated(
        click.option("-r", "--recursive", is_flag=True, help="Take the images in folders below the given ones, too."),
        click.option(
            "-j", "--jobs", metavar="N", type=click.IntRange(1, 64), help="Images at once. [default: the CPUs, up to 4]"
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each image."),
        click.option("-q", "--quiet", is_flag=True, help="Print lines for failures alone."),
    )(function)


def output_options(ending: str) -> Callable[[Function], Function]:
    """Return a decorator that adds the options of outputs. ending: what --ext is without the option, for the help."""
    return decorated(
        click.option("-o", "--output", metavar="FILE|-", help="Output of the only image; - is stdout."),
        click.option(
            "--out-dir",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder of the outputs, which keeps the tree below given folders. [default: beside each image]",
        ),
        click.option(
            "--ext",
            metavar="END",
            help=f"End of the names of outputs, in place of the ending of the image. [default: {ending}]",
        ),
        click.option(
            "-f", "--force", is_flag=True, help="Replace outputs that exist; without it their images are left out."
        ),
    )


def outputs_of(parameters: Mapping[str, Any], ending: str) -> Outputs:
    """Return where outputs go. ending: end of their names without --ext."""
    chosen = parameters["ext"] or ending
    if "/" in chosen or "\\" in chosen:
        raise click.UsageError("--ext is the end of a name; use --out-dir for a folder.")
    return Outputs(parameters["output"], parameters["out_dir"], chosen, parameters["force"])


def target_of(parameters: Mapping[str, Any], *, networks: bool) -> Target:
    """Return where the work is done. networks: whether this process would need a network."""
    jobs = parameters.get("jobs") or min(_JOBS, available_cpus())
    return Target(parameters["server"], parameters["api_key"], parameters["timeout"], networks, jobs)


def terminal_of(parameters: Mapping[str, Any], verb: str, *, on_stderr: bool) -> Terminal:
    """Return what shows the run."""
    return Terminal(json=parameters["as_json"], quiet=parameters["quiet"], on_stderr=on_stderr, verb=verb)
