"""What holds for every test: no network but loopback, no time limit on properties, asyncio, CUDA only where it is."""

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import settings

# A property's first example may import torch, and machines differ: a limit of milliseconds would only measure them.
# All else stays as hypothesis chooses, which is the same examples each time where the variable CI is set.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, which is what uvicorn serves with."""
    return "asyncio"


def _named_service() -> set[str]:
    """The addresses of the one machine that the tests are told to reach, see tests/integration/conftest.py."""
    url = urlsplit(os.environ.get("COLORCNN_URL", ""))
    return {str(found[4][0]) for found in socket.getaddrinfo(url.hostname, None)} if url.hostname else set()


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):  # a name, not an address
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """A test that would reach for another machine fails, here as well as where there is no network."""
    connect = socket.socket.connect
    named = _named_service()

    def protected(self: socket.socket, address: Any) -> None:
        if (
            self.family in (socket.AF_INET, socket.AF_INET6)
            and not _is_loopback(address[0])
            and address[0] not in named
        ):
            raise RuntimeError(f"a test may not connect to {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", protected)
        yield


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked `gpu` on a machine without CUDA."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
