"""service/cluster/options.py: what is accepted, and what each mistake is told."""

from typing import Any

import pytest
from pydantic import ValidationError

from service.cluster.options import ClusterOptions


def test_the_settings_of_a_replica_precede_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORCNN_QUEUE_SIZE", "7")
    monkeypatch.setenv("COLORCNN_WORKERS", "3")

    settings = ClusterOptions(settings={"queue_size": 9}).service_settings()

    assert (settings.queue_size, settings.workers) == (9, 3)


def test_by_default_one_replica_with_one_cpu_runs() -> None:
    options = ClusterOptions()

    assert (options.min_replicas, options.max_replicas, options.cpus, options.gpus) == (1, None, 1.0, 0.0)


def test_as_many_replicas_at_most_as_at_least_are_accepted() -> None:
    assert ClusterOptions(min_replicas=3, max_replicas=3).max_replicas == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_replicas": 0}, "greater than or equal to 1"),
        ({"min_replicas": 3, "max_replicas": 2}, "max_replicas 2 is less than min_replicas 3"),
        ({"cpus": 0}, "greater than 0"),
        ({"gpus": -1}, "greater than or equal to 0"),
        ({"target_requests": 0}, "greater than 0"),
        ({"replica": 2}, "Extra inputs are not permitted"),
        ({"settings": {"queue_size": 0}}, "queue_size"),
        ({"settings": {"queue": 5}}, "queue"),
    ],
)
def test_a_mistake_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ClusterOptions(**options)
