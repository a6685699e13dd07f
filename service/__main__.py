"""`python -m service`: serve until SIGTERM or Ctrl-C, then let running requests end.

`python -m service health` asks the service of the same settings whether it is ready, and says so by its exit status.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from service.http.probe import is_ready
from service.runtime import logs
from service.runtime.memory import limit_arenas
from service.settings import Settings, environment_table, unknown_variables, variable

if TYPE_CHECKING:
    from service.benchmark.runner import Benchmarks
    from service.inference.engine import Engine

EXIT_BROKEN = 1
EXIT_BAD_SETTINGS = 2

_PROBE_TIMEOUT = 4.0  # seconds; the image gives its health check five

log = logging.getLogger("colorcnn.service")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the settings and serve; returns the exit status of the process."""
    command = _parser().parse_args(arguments).command
    try:
        settings = Settings()
    except ValidationError as error:
        for item in error.errors():
            print(f"{variable('.'.join(map(str, item['loc'])))}: {item['msg']}", file=sys.stderr)
        return EXIT_BROKEN if command else EXIT_BAD_SETTINGS  # of a probe, container engines expect 0 or 1
    if command == "health":
        return 0 if is_ready(settings.host, settings.port, _PROBE_TIMEOUT) else EXIT_BROKEN
    return serve(settings)


def serve(settings: Settings, engine: Engine | None = None, benchmarks: Benchmarks | None = None) -> int:
    """Serve `engine` (None: the models of the registry) until a signal; returns the exit status of the process.

    benchmarks: None runs them with the same models in a process of their own.
    """
    limit_arenas()
    # Imported here because torch takes seconds, which --help and a wrong setting need not wait for.
    import uvicorn

    from service.app import create_app
    from service.http.protocol import limited_protocol
    from service.http.server import Server
    from service.inference.model_engine import NoSuchDevice

    logs.configure(settings.log_level, settings.log_format)
    _warn_of_unknown_variables()
    broken: list[bool] = []

    def stop() -> None:
        broken.append(True)
        server.should_exit = True

    try:
        app = create_app(settings, engine, benchmarks, on_broken=stop)
    except NoSuchDevice as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_SETTINGS
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=limited_protocol(settings.header_timeout, settings.max_header_bytes),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=settings.keep_alive_timeout,
        timeout_graceful_shutdown=settings.shutdown_timeout,
        lifespan="on",
    )
    server = Server(config, app.state.service.drain, settings.shutdown_delay)
    gc.freeze()  # what was imported stays for good; looking through it for garbage would hold up requests
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C, raised again by uvicorn after its graceful shutdown
        server.run()
    return EXIT_BROKEN if broken else 0


def _warn_of_unknown_variables() -> None:
    """A warning and no refusal: the environment may be shared, and a container platform may add variables to it."""
    unknown = unknown_variables(os.environ)
    if unknown:
        log.warning("ignored, no such setting: %s; `python -m service --help` lists them all", ", ".join(unknown))


def _parser() -> argparse.ArgumentParser:
    rows = "\n".join(f"  {name}={default}\n      {text}" for name, default, text in environment_table())
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Serve the REST API. Everything is set by environment variables:",
        epilog=rows,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    text = "do not serve, but exit with 0 where the service of these settings is ready, else with 1"
    parser.add_argument("command", nargs="?", choices=["health"], help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
