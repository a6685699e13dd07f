"""`colorcnn serve`: the service, as `python -m service` starts it."""

from __future__ import annotations

import click


@click.command(short_help="Serve the REST API.")
def command() -> None:
    """Serve the REST API until SIGTERM or Ctrl-C, then finish the running requests.

    COLORCNN_* environment variables hold all settings, such as COLORCNN_PORT; python -m service --help lists them.
    """
    from service.__main__ import main
    from service.runtime.ending import end_process

    end_process(main([]))
