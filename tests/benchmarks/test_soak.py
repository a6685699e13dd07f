"""tests/benchmarks/soak.py: a short soak of a slow server, and each check failed once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.http_load import Outcome
from tests.benchmarks.soak import Plan, _checks_of_load, _checks_of_shutdown, _responses, measure
from tests.service.processes import serving

REFUSAL = {"content-type": "application/problem+json", "retry-after": "2"}
NONE: dict[str, Any] = {"accepted": {"requests": 0}, "refused": {"requests": 0}, "unanswered": 0, "others": 0}


def test_a_short_soak_loses_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Latency and the number of requests that can be sent depend on the machine, so their checks may fail."""
    monkeypatch.setenv("SLOW", "0.05")
    with serving("tests.service.fake_server", tmp_path / "log", queue_size="4", shutdown_delay="0.5") as server:
        server.wait_until_ready()
        report = asyncio.run(measure(server, Plan(1.0, capacity_seconds=0.4, clients=2)))

    assert report["load"]["accepted"]["requests"] and report["load"]["refused"]["requests"]
    failed = {check for check, holds in report["checks"].items() if not holds}
    assert failed <= {"ten times the capacity was offered", "refusals came at once", "liveness came at once"}, report


def outcome(status: int, **headers: str) -> Outcome:
    return Outcome(
        "soak-0", 0.0, 0.25, 0.25, status, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_responses_are_classified() -> None:
    """A 503 without Retry-After or without problem details counts as neither accepted nor rejected."""
    responses = _responses(
        [
            outcome(200),
            Outcome("soak-1", 0.0, 0.5, 0.5, 503, REFUSAL),
            outcome(503, retry_after="2"),
            outcome(503, content_type="application/problem+json"),
            outcome(500),
            outcome(0),
        ]
    )

    assert responses == {
        "accepted": {"requests": 1, "p50_ms": 250.0, "p99_ms": 250.0, "max_ms": 250.0},
        "refused": {"requests": 1, "p50_ms": 500.0, "p99_ms": 500.0, "max_ms": 500.0},
        "unanswered": 1,
        "others": 3,
    }


@pytest.mark.parametrize(
    ("part", "changed", "check"),
    [
        ("load", {"offered_per_second": 90.0}, "ten times the capacity was offered"),
        ("load", {"unanswered": 1}, "every request was answered 200 or 503"),
        ("load", {"others": 1}, "every request was answered 200 or 503"),
        ("load", {"accepted": {"requests": 0}}, "work went on"),
        ("load", {"refused": {"requests": 1, "p99_ms": 1001.0}}, "refusals came at once"),
        ("liveness", {"unanswered": 1}, "it was alive"),
        ("liveness", {"refused": {"requests": 1}}, "it was alive"),
        ("liveness", {"accepted": {"requests": 1, "p99_ms": 1001.0}}, "liveness came at once"),
        ("memory_mib", {"end": 165}, "memory was flat"),
    ],
)
def test_each_load_failure_fails_its_check(part: str, changed: dict[str, object], check: str) -> None:
    answered = NONE | {name: {"requests": 1, "p99_ms": 1000.0} for name in ("accepted", "refused")}
    measured: dict[str, dict[str, Any]] = {
        "load": {"offered_per_second": 95.0} | answered,
        "liveness": NONE | {"accepted": answered["accepted"]},
        "memory_mib": {"settled": 100, "end": 164, "most": 200},
    }

    assert all(_checks_of_load(100.0, **measured).values())
    measured[part] |= changed
    assert [name for name, holds in _checks_of_load(100.0, **measured).items() if not holds] == [check]


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"exit_status": -15}, "the exit status was 0"),
        ({"seconds": 30.1}, "it ended within the grace period"),
        ({"in_flight": 0}, "SIGTERM came in the middle of work"),
        ({"asked_before": NONE | {"unanswered": 1}}, "all that was asked before SIGTERM was answered"),
        ({"asked_after": NONE | {"others": 1}}, "nothing that was taken was lost"),
        ({"lost": 1}, "nothing that was taken was lost"),
        ({"readiness": [200, 0]}, "readiness ended before the port was closed"),
    ],
)
def test_each_shutdown_failure_fails_its_check(changed: dict[str, object], check: str) -> None:
    """Connections that are refused after the port has closed are no failure."""
    shutdown = {
        "exit_status": 0,
        "seconds": 30.0,
        "in_flight": 1,
        "asked_before": NONE,
        "asked_after": NONE | {"unanswered": 9},
        "lost": 0,
        "readiness": [200, 503, 0],
    }

    assert all(_checks_of_shutdown(shutdown).values())
    assert [name for name, holds in _checks_of_shutdown(shutdown | changed).items() if not holds] == [check]
