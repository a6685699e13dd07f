"""`python -m service`: serve until SIGTERM or Ctrl-C, then finish the running requests.

`python -m service health` probes the service with the same settings; the exit status reports whether it is ready.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from pydantic import ValidationError

from models import threads
from service.http.probe import is_ready
from service.runtime import logs
from service.runtime.ending import end_process
from service.runtime.memory import limit_arenas
from service.settings import Settings, environment_table, unknown_variables, variable

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from service.lifecycle import Service

EXIT_BROKEN = 1
EXIT_BAD_SETTINGS = 2

_PROBE_TIMEOUT = 4.0  # seconds; the health check of the image has five

log = logging.getLogger("colorcnn.service")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the settings and serve, or probe; return the exit status of the process."""
    command = _parser().parse_args(arguments).command
    try:
        settings = Settings()
    except ValidationError as error:
        for item in error.errors():
            print(f"{variable('.'.join(map(str, item['loc'])))}: {item['msg']}", file=sys.stderr)
        return EXIT_BROKEN if command else EXIT_BAD_SETTINGS  # container engines expect 0 or 1 from a probe
    if command == "health":
        return 0 if is_ready(settings.host, settings.port, _PROBE_TIMEOUT) else EXIT_BROKEN
    return serve(settings)


def serve(settings: Settings, build: Callable[[Settings], Service] | None = None) -> int:
    """Serve until a signal, or until the models or the device fail; return the exit status of the process.

    build: returns the service; None for `build_service`.
    """
    signal.signal(signal.SIGTERM, _stop_starting)
    threads.configure()
    limit_arenas()
    logs.configure(settings.log_level, settings.log_format)
    _warn_of_unknown_variables()
    # Imported here, because importing torch takes seconds, which --help and a wrong setting need not wait for.
    from service.app import build_service, create_app
    from service.http.server import Server
    from service.inference.networks import NoSuchDevice

    try:
        service = (build or build_service)(settings)
    except NoSuchDevice as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_SETTINGS
    server = Server(_server_config(create_app(service), settings), service.drain, settings.shutdown_delay)
    broken: list[bool] = []

    def stop() -> None:
        broken.append(True)
        server.should_exit = True

    service.on_broken = stop
    gc.freeze()  # imported objects live as long as the process; scanning them for garbage would delay requests
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C, raised again by uvicorn after its graceful shutdown
        server.run()
    return EXIT_BROKEN if broken else 0


def _stop_starting(*_: object) -> NoReturn:
    """Handle SIGTERM before the server does. The first process of a container ignores signals without a handler."""
    sys.exit(0)


def _server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    import uvicorn

    from service.http.protocol import limited_protocol

    return uvicorn.Config(
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


def _warn_of_unknown_variables() -> None:
    """Log a warning and no error, because a container platform may add variables to the environment."""
    unknown = unknown_variables(os.environ)
    if unknown:
        log.warning("ignored, no such setting: %s; `python -m service --help` lists them all", ", ".join(unknown))


def _parser() -> argparse.ArgumentParser:
    rows = "\n".join(f"  {name}={default}\n      {text}" for name, default, text in environment_table())
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Serve the REST API. Environment variables hold all settings:",
        epilog=rows,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    text = "do not serve, but exit with 0 if the service with these settings is ready, else with 1"
    parser.add_argument("command", nargs="?", choices=["health"], help=text)
    return parser


if __name__ == "__main__":
    end_process(main())
