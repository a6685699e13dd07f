"""`colorcnn models`: networks, methods and defaults."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from service.cli.compare_tables import aligned
from service.cli.run import in_loop
from service.cli.session import Target, connected
from service.cli.shared import server_options, target_of
from service.client import ColorCNNServiceError
from service.schemas.model_reports import ModelsReport


@click.command(short_help="List networks, methods and defaults.")
@click.option("--json", "as_json", is_flag=True, help="Print the response of GET /models.")
@server_options
def command(**parameters: Any) -> None:
    """List the networks, the methods, and the defaults for photographs and smaller images."""
    try:
        report = in_loop(partial(_models, target_of(parameters, networks=True)))
    except ColorCNNServiceError as error:
        raise click.ClickException(error.detail) from None
    click.echo(report.model_dump_json() if parameters["as_json"] else _text(report), nl=parameters["as_json"])


async def _models(target: Target) -> ModelsReport:
    async with connected(target) as client:
        return await client.models()


def _text(report: ModelsReport) -> str:
    models = [("model", "kind", "dataset", "side")]
    models += [(each.name, each.kind, each.dataset, str(each.size)) for each in report.models]
    methods = [("method", "what it does"), *((each.name, each.description) for each in report.method_details)]
    defaults = [("default for", "method", "model", "classifier")]
    for name, found in (("small images", report.defaults.small), ("photographs", report.defaults.photograph)):
        if found:
            defaults.append((name, found.method, found.model or "-", found.classifier))
    return "\n".join(aligned(lines, to_the_left=range(4)) for lines in (models, methods, defaults))
