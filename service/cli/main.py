"""The command `colorcnn`. Commands are imported when they run, so that `colorcnn --help` imports click alone."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import click

PROGRAM = "colorcnn"
INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "quantize": "Reduce images to few colors that a neural network still recognizes.",
        "classify": "Name what a neural network sees in images.",
        "compress": "Store images as BPG, quantized before.",
        "compare": "Compare methods and numbers of colors on images.",
        "models": "List networks, methods and defaults.",
        "serve": "Serve the REST API.",
        "completion": "Print the script that completes commands in a shell.",
    }
)
"""Every command, and its first line of help; `service/cli/<command>.py` holds the command as `command`."""


class _Commands(click.Group):
    """Commands that are imported at their first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"service.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"{PROGRAM} {version('colorcnn-service')}")
    except PackageNotFoundError:  # run from a source tree that is not installed
        click.echo(f"{PROGRAM} 0+source")
    ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """Reduce images to 2 to 256 colors so that a neural network still recognizes them.

    Commands work on this machine, with the models that ship with the project or those of COLORCNN_MODELS_FOLDER; with
    --server they send the images to a running service. COLORCNN_DEVICE and the other settings of the service apply.
    """


def main() -> None:
    """Run the command line of this process, and exit with its status; after Ctrl-C no thread delays that."""
    try:
        cli(prog_name=PROGRAM)
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
        from service.runtime.ending import end_process

        end_process(INTERRUPTED)


if __name__ == "__main__":
    main()
