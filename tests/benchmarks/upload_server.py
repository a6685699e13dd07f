"""`python -m tests.benchmarks.upload_server`: the real server process with the additional route /no-op."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.lifecycle import Service
    from service.settings import Settings


def main(build: Callable[[Settings], Service] | None = None) -> int:
    """Serve with the settings of the environment. Worker processes import this file, so it imports late.

    build: None serves the models that the settings name.
    """
    from service.__main__ import serve
    from service.api import routes
    from service.settings import Settings
    from tests.benchmarks.no_op import no_op

    routes.router.add_api_route("/no-op", no_op, methods=["POST"])
    return serve(Settings(), build)


if __name__ == "__main__":
    sys.exit(main())
