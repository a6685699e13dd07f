"""tests/benchmarks/cluster.py: one process without Ray, and each check failed once."""

import asyncio
from typing import Any

import pytest

from tests.benchmarks.cluster import _load, _pids, checks, measure, running
from tests.benchmarks.http_load import Client, Request

SCALED = {"seconds_until_second": 30.0}


def rows(rate: float = 170, **events: Any) -> list[dict[str, Any]]:
    """Return rows that reach every goal, but for `events` of two replicas behind HAProxy."""
    good = {"kill": {"statuses": {"200": 9, "503": 1}}, "update": {"statuses": {"200": 9}, "all_replaced": True}}
    behind = {"proxy": "haproxy", "replicas": 2, "requests_per_second": rate} | good | events
    others = [
        {"proxy": proxy, "replicas": replicas, "requests_per_second": 100 * replicas}
        for proxy, replicas in (("python", 1), ("python", 2), ("haproxy", 1))
    ]
    return [*others, behind]


def test_the_setup_without_ray_is_measured() -> None:
    with running("none", 1) as cluster:
        row = asyncio.run(measure(cluster, 1, 0.5))
        pids = _pids(cluster.port, 1)

    assert row["statuses"].keys() == {"200"}
    assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert row["mib"] > 50 and row["start_seconds"] > 0
    assert pids == {cluster.process.pid}


def test_a_client_without_a_server_counts_requests_without_a_response() -> None:
    ended = iter([True, True, False])

    [outcome, again] = asyncio.run(_load(Client(1), [Request("GET", "/")], 1, lambda: next(ended)))

    assert (outcome.status, again.status) == (0, 0)


def test_everything_that_reaches_its_goal_holds() -> None:
    assert all(checks(rows(), SCALED).values())


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"rate": 169}, "two replicas serve 1.7 times one"),
        ({"kill": {"statuses": {"200": 9, "500": 1}}}, "a killed replica: every request was answered with 200 or 503"),
        ({"kill": {"statuses": {"200": 9, "none": 1}}}, "a killed replica: every request was answered with 200 or 503"),
        (
            {"update": {"statuses": {"200": 9, "none": 1}, "all_replaced": True}},
            "an update: every request was answered with 200 or 503",
        ),
        ({"update": {"statuses": {"200": 9}, "all_replaced": False}}, "the update replaced every replica"),
    ],
)
def test_each_check_can_fail(changed: dict[str, Any], check: str) -> None:
    found = checks(rows(**changed), SCALED)

    assert [name for name, holds in found.items() if not holds] == [check]


def test_a_replica_that_never_comes_fails_its_check() -> None:
    assert not checks(rows(), {"seconds_until_second": 301.0})["a second replica came under load"]
