"""`python -m tests.benchmarks.upload_server`: the real server process, with a route that does nothing but upload."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.inference.engine import Engine


def main(engine: Engine | None = None) -> int:
    """Serve with the settings of the environment; imports are here because worker processes read this file too."""
    from service.__main__ import serve
    from service.api import routes
    from service.settings import Settings
    from tests.benchmarks.no_op import no_op

    routes.router.add_api_route("/no-op", no_op, methods=["POST"])
    return serve(Settings(), engine)


if __name__ == "__main__":
    sys.exit(main())
