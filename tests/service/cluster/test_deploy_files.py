"""deploy/ray/: both files describe one application, with values that Ray and the service accept."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.cluster.environment import BINARY, HAPROXY
from service.cluster.options import ClusterOptions

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "ray"
SERVE: dict[str, Any] = yaml.safe_load((FOLDER / "serve.yaml").read_text())
SPEC: dict[str, Any] = yaml.safe_load((FOLDER / "rayservice.yaml").read_text())["spec"]
GROUPS = [SPEC["rayClusterConfig"]["headGroupSpec"], *SPEC["rayClusterConfig"]["workerGroupSpecs"]]
CONTAINERS: list[dict[str, Any]] = [
    container for group in GROUPS for container in group["template"]["spec"]["containers"]
]


def test_ray_accepts_the_application() -> None:
    schema = pytest.importorskip("ray.serve.schema", reason="the extra `ray` is not installed")

    schema.ServeDeploySchema(**SERVE)


def test_ray_can_check_the_arguments() -> None:
    """Ray makes the options of a dict only where the annotation is the class itself."""
    app = pytest.importorskip("service.cluster.app", reason="the extra `ray` is not installed")

    assert inspect.signature(app.build).parameters["options"].annotation is ClusterOptions


def test_the_service_accepts_the_arguments() -> None:
    [application] = SERVE["applications"]

    options = ClusterOptions(**application["args"])

    assert options.min_replicas < (options.max_replicas or 0)
    assert application["import_path"] == "service.cluster.app:build"


def test_both_files_describe_the_same_application() -> None:
    assert yaml.safe_load(SPEC["serveConfigV2"]) == SERVE


def test_every_machine_has_the_variables_of_haproxy() -> None:
    for container in CONTAINERS:
        variables = {item["name"]: item["value"] for item in container["env"]}
        assert HAPROXY.items() <= variables.items()
        assert variables[BINARY] == "/app/bin/colorcnn-haproxy"
        assert variables.keys() == {*HAPROXY, BINARY, "HOME"}


def test_every_container_is_confined_and_bounded() -> None:
    for container in CONTAINERS:
        confined = container["securityContext"]
        assert (confined["runAsUser"], confined["runAsNonRoot"]) == (10001, True)
        assert confined["capabilities"] == {"drop": ["ALL"]}
        assert confined["allowPrivilegeEscalation"] is False
        assert "memory" in container["resources"]["limits"]
        assert {"livenessProbe", "readinessProbe"} <= container.keys()


def test_replicas_fit_on_the_machines() -> None:
    options = ClusterOptions(**SERVE["applications"][0]["args"])
    [workers] = SPEC["rayClusterConfig"]["workerGroupSpecs"]
    [container] = workers["template"]["spec"]["containers"]
    on_one = int(container["resources"]["requests"]["cpu"]) // int(options.cpus)

    assert options.max_replicas == on_one * workers["maxReplicas"]
    assert options.min_replicas <= on_one * workers["replicas"]


def test_a_replica_that_is_replaced_finishes_its_requests() -> None:
    settings = ClusterOptions(**SERVE["applications"][0]["args"]).service_settings()

    assert settings.request_timeout < settings.shutdown_timeout
    for group in GROUPS:
        assert settings.shutdown_timeout < group["template"]["spec"]["terminationGracePeriodSeconds"]
