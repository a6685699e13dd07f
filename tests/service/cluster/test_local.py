"""service/cluster/local.py: what a machine lacks is said at once, and the error of a replica is found."""

import re
import socket

import pytest

from service.cluster.options import ClusterOptions
from service.settings import Settings

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
local = pytest.importorskip("service.cluster.local", reason="the extra `ray` is not installed")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two CPUs and no GPU."""
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0, "memory": 1e9})


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("options", [{}, {"min_replicas": 2}, {"min_replicas": 4, "cpus": 0.5, "max_replicas": 9}])
def test_replicas_that_fit_are_deployed(options: dict[str, float]) -> None:
    local.require_resources(ClusterOptions(**options))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_replicas": 3}, "3 replicas reserve 3 CPUs, and this machine has 2: lower --replicas or --cpus"),
        (
            {"min_replicas": 2, "gpus": 0.5},
            "2 replicas reserve 1 GPUs, and this machine has 0: lower --replicas or --gpus",
        ),
    ],
)
def test_replicas_without_room_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(local.NoRoom, match=re.escape(message)):
        local.require_resources(ClusterOptions(**options))


def test_the_error_at_the_end_of_a_traceback_is_the_reason() -> None:
    message = "The deployment failed:\n  File x, line 3\nmodels.errors.OtherModels: the models differ\n\n"

    assert local._last_line(message) == "models.errors.OtherModels: the models differ"
    assert local._last_line("") == ""


def test_an_address_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(local.NoRoom, match=r"127\.0\.0\.1 port \d+: Address already in use.*COLORCNN_PORT"):
            local.require_address(settings)

    local.require_address(settings)


def test_any_port_is_no_port_for_clients() -> None:
    with pytest.raises(local.NoRoom, match="COLORCNN_PORT to a number above 0"):
        local.require_address(Settings(port=0))
