"""`python -m service.cluster`: replicas of the service on this machine behind one address, until SIGTERM or Ctrl-C.

The settings of `python -m service` apply to each replica; COLORCNN_HOST and COLORCNN_PORT are their common address.
`deploy/ray/serve.yaml` runs the same application on a cluster of many machines.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.util import find_spec

from pydantic import ValidationError

from models import threads
from models.errors import CorruptCheckpoint
from service.cluster.environment import use_haproxy
from service.cluster.options import ClusterOptions
from service.runtime import logs

log = logging.getLogger("colorcnn.cluster")

EXIT_BROKEN = 1
EXIT_BAD_OPTIONS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Read options and settings, start the replicas, wait for a signal; return the exit status."""
    args = _parser().parse_args(arguments)
    if find_spec("ray") is None:
        print("Ray is not installed: run pip install 'colorcnn-service[ray]'.", file=sys.stderr)
        return EXIT_BAD_OPTIONS
    try:
        options = _options(args)
    except ValidationError as error:
        for item in error.errors():
            print(f"{'.'.join(map(str, item['loc'])) or 'options'}: {item['msg']}", file=sys.stderr)
        return EXIT_BAD_OPTIONS
    threads.configure()
    if args.proxy == "haproxy":
        use_haproxy()
    return serve(options)


def serve(options: ClusterOptions) -> int:
    """Serve until a signal; return the exit status of the process."""
    from service.cluster.app import build
    from service.cluster.local import NoRoom, deploy, local_cluster, require_address, require_resources

    settings = options.service_settings()
    logs.configure(settings.log_level, settings.log_format)
    try:
        require_address(settings)
        application = build(options)
    except (NoRoom, CorruptCheckpoint) as error:
        print(error, file=sys.stderr)
        return EXIT_BROKEN
    stopped = threading.Event()
    with local_cluster(settings):
        for number in (signal.SIGTERM, signal.SIGINT):  # Ray sets its own handlers at its start
            signal.signal(number, lambda *_: stopped.set())
        try:
            require_resources(options)
            deploy(application)
        except (NoRoom, RuntimeError) as error:
            log.critical("the replicas do not start: %s", error)
            return EXIT_BROKEN
        log.info("ready replicas=%d address=http://%s:%d", options.min_replicas, settings.host, settings.port)
        stopped.wait()
        log.info("ending: requests in flight get at most %g seconds", settings.shutdown_timeout)
    return 0


def _options(args: argparse.Namespace) -> ClusterOptions:
    most = max(1, args.max_replicas or args.replicas)
    cpus = args.cpus or min(1.0, threads.available_cpus() / most)
    return ClusterOptions(min_replicas=args.replicas, max_replicas=args.max_replicas, cpus=cpus, gpus=args.gpus)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service.cluster", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicas", type=int, default=2, help="replicas that always run (%(default)s)")
    parser.add_argument("--max-replicas", type=int, help="most replicas under load (as many as --replicas)")
    parser.add_argument("--cpus", type=float, help="CPUs of a replica (1, or an equal share of this machine's if less)")
    parser.add_argument("--gpus", type=float, default=0.0, help="GPUs of a replica; 0.5 puts two on one (%(default)g)")
    parser.add_argument(
        "--proxy",
        choices=["haproxy", "python"],
        default="haproxy",
        help="what spreads the requests: HAProxy, or the proxy of Ray that needs no other program (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
