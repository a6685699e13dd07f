"""`colorcnn completion`: scripts for shells, as click makes them."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from service.cli.main import PROGRAM, cli

_SHELLS = ("bash", "zsh", "fish")


@click.command(short_help="Print the script that completes commands in a shell.")
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> None:
    """Print the script that completes commands, options and names of methods in a shell.

    \b
    bash:  eval "$(colorcnn completion bash)"    in ~/.bashrc
    zsh:   eval "$(colorcnn completion zsh)"     in ~/.zshrc
    fish:  colorcnn completion fish > ~/.config/fish/completions/colorcnn.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(found(cli, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())
