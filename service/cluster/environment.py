"""Variables that the processes of Ray read when they start. They precede the first import of `ray.serve`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

BINARY = "RAY_SERVE_HAPROXY_BINARY_PATH"
_ENABLED = "RAY_SERVE_ENABLE_HA_PROXY"
_COMMAND = "colorcnn-haproxy"

HAPROXY: Mapping[str, str] = {
    _ENABLED: "1",
    # No request changes anything, so another replica may get it when the first one is full, or dies before it responds.
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response 503",
    "RAY_SERVE_HAPROXY_RETRIES": "3",
    "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": str(256 * 1024),  # a larger request is sent once only
    "RAY_SERVE_HAPROXY_MAXCONN": "1000",  # connections, of which each may need two buffers
    "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "1s",
    # Seconds that a replica which ends stays open for requests of a proxy that does not know yet.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
}
"""Ray's HAProxy in front of the replicas, as `deploy/ray/` sets it, too."""


def has_haproxy() -> bool:
    """Return whether Ray's HAProxy sends the requests to the replicas of this environment."""
    return os.environ.get(_ENABLED) == "1"


def use_haproxy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables of HAPROXY, and this project's command as its program. What is set already stays as it is."""
    for name, value in HAPROXY.items():
        environment.setdefault(name, value)
    command = shutil.which(_COMMAND, path=str(Path(sys.executable).parent)) or shutil.which(_COMMAND)
    if command:
        environment.setdefault(BINARY, command)
