"""Rules for every test: no network but loopback, no deadline for properties, asyncio, CUDA only where it exists."""

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import settings

# The first example of a property may import torch, so a deadline of milliseconds would measure the machine. Everything
# else keeps hypothesis' defaults, which repeat the same examples when the variable CI is set.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run tests marked `anyio` on asyncio, as uvicorn does."""
    return "asyncio"


def _named_service() -> set[str]:
    """Return the addresses of COLORCNN_URL, the only other machine that tests may reach; see tests/integration."""
    url = urlsplit(os.environ.get("COLORCNN_URL", ""))
    return {str(found[4][0]) for found in socket.getaddrinfo(url.hostname, None)} if url.hostname else set()


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):  # a name, not an address
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Fail each connection to another machine, so that tests behave the same without a network."""
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
