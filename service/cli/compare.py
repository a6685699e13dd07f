"""`colorcnn compare`: methods and numbers of colors, measured on images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from service.cli.compare_tables import csv_text, json_text, table
from service.cli.files import STDIO, pictures
from service.cli.main import INTERRUPTED
from service.cli.options import given, request_options
from service.cli.outcome import reason
from service.cli.run import in_loop, to_file
from service.cli.session import Target, connected
from service.cli.shared import inputs, server_options, target_of
from service.cli.terminal import waiting
from service.client import ColorCNNServiceError
from service.schemas.benchmark_options import MAX_IMAGES, BenchmarkOptions
from service.schemas.benchmark_reports import BenchmarkFailedImage, BenchmarkFailedRow, BenchmarkRow

_SUFFIXES = {".png": "png", ".html": "html", ".csv": "csv", ".jsonl": "json", ".ndjson": "json"}
_TEXTS = {"table": table, "csv": csv_text, "json": json_text}


@click.command(short_help="Compare methods and numbers of colors on images.")
@inputs
@request_options(BenchmarkOptions, without=("format",))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["table", "csv", "json", "png", "html"]),
    help="Table for people, CSV, one JSON object for each row, contact sheet as a PNG, or an HTML page with plots. "
    "[default: by the ending of -o, else table]",
)
@click.option("-o", "--output", metavar="FILE|-", default=STDIO, help="Output; - is stdout. [default: -]")
@click.option("-f", "--force", is_flag=True, help="Replace an output that exists.")
@click.option("-r", "--recursive", is_flag=True, help="Take the images in folders below the given ones, too.")
@server_options
def command(**parameters: Any) -> None:
    """Compare methods and numbers of colors on up to 32 images: bytes, similarity, and what a network recognizes.

    \b
    colorcnn compare photo.jpg
    colorcnn compare -k 2,4,8 --methods refined,halftone,kmeans -o sheet.png photos
    colorcnn compare --format csv photos > rows.csv

    The exit status is 1 if an image or a row failed; the others are shown.
    """
    options = given(parameters, BenchmarkOptions)
    file_format = parameters["file_format"] or _SUFFIXES.get(Path(parameters["output"]).suffix.lower(), "table")
    images = _images(parameters)
    if parameters["output"] != STDIO and Path(parameters["output"]).exists() and not parameters["force"]:
        raise click.UsageError(f"{parameters['output']} exists; give --force to replace it.")
    target = target_of(parameters, networks=True)
    try:
        with waiting(f"Comparing on {len(images)} images"):
            data, failures = in_loop(partial(_compared, target, images, options, file_format))
        _store(parameters["output"], data, force=parameters["force"])
    except (ColorCNNServiceError, OSError) as error:
        raise click.ClickException(reason(error)) from None
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(1 if failures else 0)


def _images(parameters: dict[str, Any]) -> list[Path]:
    if STDIO in parameters["inputs"]:
        raise click.UsageError("compare reads no stdin; name files or folders.")
    found = [each.path for each in pictures(parameters["inputs"], recursive=parameters["recursive"])]
    if not 1 <= len(found) <= MAX_IMAGES:
        raise click.UsageError(f"compare takes 1 to {MAX_IMAGES} images, not {len(found)}.")
    return found


async def _compared(
    target: Target, images: Sequence[Path], options: dict[str, Any], file_format: str
) -> tuple[bytes, bool]:
    """Return the output, and whether an image or a row failed; a sheet and a page show the failures themselves."""
    async with connected(target) as client:
        if file_format == "png":
            return (await client.contact_sheet(list(images), **options)).data, False
        if file_format == "html":
            return (await client.benchmark_page(list(images), **options)).encode(), False
        run = client.benchmark(list(images), **options)
        rows = [row async for row in run]
    failures = [each for each in (*run.images, *rows) if isinstance(each, BenchmarkFailedImage | BenchmarkFailedRow)]
    for failure in {each.image: each for each in failures}.values():
        click.echo(f"{failure.image}: {failure.error.detail}", err=True)
    measured = [row for row in rows if isinstance(row, BenchmarkRow)]
    return _TEXTS[file_format](run, measured).encode(), bool(failures)


def _store(output: str, data: bytes, *, force: bool) -> None:
    if output == STDIO:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        to_file(Path(output), data, force)
