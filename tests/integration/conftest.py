"""A client of the service at COLORCNN_URL, with the API key COLORCNN_KEY; without COLORCNN_URL, of its own process."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from httpx import Client

from tests.service.processes import serving


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    url, key = os.environ.get("COLORCNN_URL"), os.environ.get("COLORCNN_KEY")
    with ExitStack() as stack:
        if not url:
            server = stack.enter_context(serving("service", tmp_path_factory.mktemp("service") / "log"))
            server.wait_until_ready()
            url = server.url
        headers = {"X-API-Key": key} if key else {}
        yield stack.enter_context(Client(base_url=url, headers=headers, timeout=60, trust_env=False))
