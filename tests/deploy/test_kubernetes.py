"""The manifests in deploy/kubernetes and deploy/ray are valid, and agree with the service and with each other."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from pydantic import ValidationError

from service.http.server import _LAST_PART
from service.settings import Settings, unknown_variables
from tests.deploy.kustomize import Document, load, render
from tests.service.clients import fake_app, ready, samples
from tests.service.fakes import FakeEngine
from tests.test_project import ROOT, instructions, program, services

KUBERNETES = ROOT / "deploy" / "kubernetes"
COMPONENTS = sorted((KUBERNETES / "components").iterdir())
OVERLAYS = sorted((KUBERNETES / "overlays").iterdir())
RAY = sorted((ROOT / "deploy" / "ray").glob("*.yaml"))
VERSIONS = ("1.27", "1.30", kubernetes_validate.latest_version())  # the oldest that has every field, and the newest
CUSTOM = yaml.safe_load((Path(__file__).parent / "custom_resources.yaml").read_text())
UNITS = {"": 1.0, "m": 1e-3, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}

Overlay = dict[str, Document]
"""The documents of an overlay, by their kinds; there is one of each kind."""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("COLORCNN_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=product(OVERLAYS, ((), COMPONENTS)), ids=lambda each: f"{each[0].name}+{len(each[1])}")
def overlay(request: pytest.FixtureRequest) -> Overlay:
    """An overlay alone, and with every component."""
    documents = render(request.param[0], *request.param[1])
    kinds = {document["kind"]: document for document in documents}
    assert len(kinds) == len(documents)
    return kinds


def pod(overlay: Overlay) -> Document:
    spec: Document = overlay["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(overlay: Overlay) -> Document:
    [only] = pod(overlay)["containers"]
    return dict(only)


def nodes(value: Any) -> Iterator[Document]:
    """Yield every mapping inside a value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from nodes(each)


def validate(document: Document, version: str) -> None:
    """Raise an error unless a document is valid for that version of Kubernetes, without any unknown field."""
    schema = CUSTOM.get(f"{document['apiVersion']}/{document['kind']}")
    if schema is None:
        kubernetes_validate.validate(document, version, strict=True)
        return
    jsonschema.validate(document["spec"], schema)
    for node in nodes(document):
        if "template" in node:
            template = {"apiVersion": "v1", "kind": "PodTemplate", "template": node["template"]}
            kubernetes_validate.validate(template, version, strict=True)


def quantity(value: object) -> float:
    """Return a quantity of Kubernetes as a number; raise ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]*)", str(value))
    if not match or match[2] not in UNITS:
        raise ValueError(value)
    return float(match[1]) * UNITS[match[2]]


def settings_of(overlay: Overlay, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of a replica."""
    for name, value in overlay["ConfigMap"]["data"].items():
        if name != "COLORCNN_MODELS_FOLDER":  # which this machine lacks
            monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_valid(overlay: Overlay, version: str) -> None:
    for document in overlay.values():
        validate(document, version)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [("Deployment", "replica", 2), ("Service", "port", []), ("ServiceMonitor", "endpoint", []), ("Ingress", "x", 1)],
)
def test_an_unknown_field_or_type_is_not_valid(kind: str, field: str, value: object) -> None:
    """The check can fail: for kinds of Kubernetes, and for those of custom_resources.yaml."""
    documents = {document["kind"]: document for document in render(OVERLAYS[0], *COMPONENTS)}
    document = documents.get(kind, {"apiVersion": "networking.k8s.io/v1", "kind": kind, "spec": {}})
    document["spec"][field] = value

    with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)):
        validate(document, VERSIONS[-1])


def sorted_names(node: Any) -> Any:
    """Return a document with its lists of entries with names in one order."""
    if isinstance(node, dict):
        return {name: sorted_names(each) for name, each in node.items()}
    if isinstance(node, list):
        entries = [sorted_names(each) for each in node]
        return sorted(entries, key=lambda each: str(each.get("name")) if isinstance(each, dict) else "")
    return node


@pytest.mark.parametrize("components", [[], COMPONENTS], ids=["alone", "with-components"])
@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_kubectl_renders_the_same(folder: Path, components: list[Path], tmp_path: Path) -> None:
    kubectl = program("kubectl")
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    copy = tmp_path / "kubernetes" / "overlays" / folder.name
    plan = yaml.safe_load((copy / "kustomization.yaml").read_text())
    plan["components"] = [f"../../components/{each.name}" for each in components]
    (copy / "kustomization.yaml").write_text(yaml.safe_dump(plan))

    done = subprocess.run([kubectl, "kustomize", copy], capture_output=True, text=True, check=True)

    theirs = {each["kind"]: sorted_names(each) for each in yaml.safe_load_all(done.stdout)}
    assert theirs == {each["kind"]: sorted_names(each) for each in render(folder, *components)}


def test_other_settings_have_another_name_so_that_replicas_are_replaced(tmp_path: Path) -> None:
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    folder = tmp_path / "kubernetes" / "overlays" / "cpu"
    before = {document["kind"]: document for document in render(folder)}
    with (tmp_path / "kubernetes" / "base" / "settings.env").open("a") as file:
        file.write("COLORCNN_QUEUE_SIZE=16\n")
    after = {document["kind"]: document for document in render(folder)}

    assert after["ConfigMap"]["data"]["COLORCNN_QUEUE_SIZE"] == "16"
    assert before["ConfigMap"]["metadata"]["name"] != after["ConfigMap"]["metadata"]["name"]
    assert before["Deployment"] != after["Deployment"]


def test_everything_is_in_one_namespace(overlay: Overlay) -> None:
    others = [document["metadata"]["namespace"] for kind, document in overlay.items() if kind != "Namespace"]

    assert set(others) == {overlay["Namespace"]["metadata"]["name"]}


def test_selectors_find_the_replicas(overlay: Overlay) -> None:
    labels = overlay["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    [spread] = pod(overlay)["topologySpreadConstraints"]
    selectors = [
        overlay["Service"]["spec"]["selector"],
        spread["labelSelector"]["matchLabels"],
        *(overlay[kind]["spec"]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")),
        overlay["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]

    assert all(selector and selector.items() <= labels for selector in selectors)
    if monitor := overlay.get("ServiceMonitor"):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= overlay["Service"]["metadata"]["labels"].items()


def test_names_refer_to_what_exists(overlay: Overlay) -> None:
    target = overlay["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    deployment = overlay["Deployment"]
    volumes = {volume["name"] for volume in pod(overlay)["volumes"]}
    settings = [each["configMapRef"]["name"] for each in container(overlay)["envFrom"]]
    secrets = [each["valueFrom"]["secretKeyRef"] for each in container(overlay)["env"]]

    assert (target["apiVersion"], target["kind"], target["name"]) == (
        deployment["apiVersion"],
        deployment["kind"],
        deployment["metadata"]["name"],
    )
    assert settings == [overlay["ConfigMap"]["metadata"]["name"]]
    assert all(secret["optional"] for secret in secrets)  # the service also runs without keys
    assert {mount["name"] for mount in container(overlay)["volumeMounts"]} == volumes


def test_ports_have_names_that_exist(overlay: Overlay) -> None:
    [port] = container(overlay)["ports"]
    [published] = overlay["Service"]["spec"]["ports"]
    used = [node["httpGet"]["port"] for node in nodes(container(overlay)) if "httpGet" in node]
    used += [each["port"] for rule in overlay["NetworkPolicy"]["spec"]["ingress"] for each in rule["ports"]]

    assert {*used, published["targetPort"]} == {port["name"]}
    assert instructions("EXPOSE") == [f"EXPOSE {port['containerPort']}"]
    for endpoint in overlay.get("ServiceMonitor", {"spec": {"endpoints": []}})["spec"]["endpoints"]:
        assert endpoint["port"] == published["name"]


def test_probes_and_scrapes_are_routes_of_the_service(overlay: Overlay) -> None:
    app = fake_app(Settings(), FakeEngine())
    routes = {path for path, methods in app.openapi()["paths"].items() if "get" in methods}
    probes = {name: container(overlay)[name]["httpGet"]["path"] for name in container(overlay) if "Probe" in name}
    scraped = {node["path"] for node in nodes(overlay.get("ServiceMonitor", {})) if "path" in node}

    assert probes == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert {*probes.values(), *scraped} <= routes


def test_the_environment_consists_of_settings(overlay: Overlay, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [*overlay["ConfigMap"]["data"], *(each["name"] for each in container(overlay)["env"])]

    assert unknown_variables(names) == () and all(name.startswith("COLORCNN_") for name in names)
    assert settings_of(overlay, monkeypatch).shutdown_timeout
    mounted = [mount["mountPath"] for mount in container(overlay)["volumeMounts"]]
    assert overlay["ConfigMap"]["data"].get("COLORCNN_MODELS_FOLDER", "/tmp") in mounted


def test_kubernetes_sets_no_variables_of_its_own(overlay: Overlay, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a Service it sets NAME_PORT to an address, and for the name `colorcnn` that is a setting."""
    monkeypatch.setenv(f"{overlay['Service']['metadata']['name'].upper()}_PORT", "tcp://10.0.0.1:80")

    with pytest.raises(ValidationError, match="port"):
        Settings()
    assert pod(overlay)["enableServiceLinks"] is False


def test_kubernetes_waits_for_requests_in_flight(overlay: Overlay, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(overlay, monkeypatch)
    command, seconds = container(overlay)["lifecycle"]["preStop"]["exec"]["command"]
    time = settings.shutdown_delay + settings.shutdown_timeout + _LAST_PART

    assert command == "sleep" and pod(overlay)["terminationGracePeriodSeconds"] > int(seconds) + time
    # So each admitted request is answered: with its result, or because its own time is over.
    assert settings.shutdown_timeout > max(settings.request_timeout, settings.compress_timeout)


def test_a_rolling_update_never_lacks_a_replica(overlay: Overlay) -> None:
    strategy = overlay["Deployment"]["spec"]["strategy"]

    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert overlay["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert "replicas" not in overlay["Deployment"]["spec"]  # the autoscaler's


def test_every_container_is_confined(overlay: Overlay) -> None:
    user = pod(overlay)["securityContext"]
    limits = container(overlay)["securityContext"]

    assert [f"USER {user['runAsUser']}:{user['runAsGroup']}"] == instructions("USER")
    assert user["runAsNonRoot"] is True and user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert limits == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(overlay)["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod(overlay).keys()
    assert overlay["NetworkPolicy"]["spec"]["egress"] == []
    assert overlay["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_resources_are_quantities_that_fit(overlay: Overlay) -> None:
    requests, limits = (container(overlay)["resources"][name] for name in ("requests", "limits"))

    for name, value in requests.items():
        assert quantity(value) <= quantity(limits[name])
    assert quantity(limits["cpu"]).is_integer()  # the service rounds a quota down
    assert quantity(pod(overlay)["volumes"][0]["emptyDir"]["sizeLimit"]) == 64 * UNITS["Mi"]  # as in the compose files


def test_replicas_have_the_memory_and_the_device_of_the_compose_files() -> None:
    for name, override in (("cpu", "deploy/docker-compose.scale.yml"), ("gpu", "deploy/docker-compose.gpu.yml")):
        documents = {document["kind"]: document for document in render(KUBERNETES / "overlays" / name)}
        limits = container(documents)["resources"]["limits"]
        assert limits["memory"] == services(override)["api"]["mem_limit"].replace("g", "Gi")
        assert limits.get("nvidia.com/gpu") == (1 if name == "gpu" else None)
        assert documents["ConfigMap"]["data"].get("COLORCNN_DEVICE") == ("cuda" if name == "gpu" else None)
        assert container(documents)["image"] == f"colorcnn-service:{'cuda' if name == 'gpu' else 'cpu'}"


@pytest.mark.anyio
async def test_the_metrics_of_autoscaler_adapter_and_rules_exist() -> None:
    async with ready(fake_app(Settings(), FakeEngine())) as client:
        await client.get("/nothing")  # counts a rejection
        scraped = await samples(client)
    known = {f"colorcnn_{name}" for name, _ in scraped}
    documents = {
        document["kind"]: document for document in render(OVERLAYS[0], KUBERNETES / "components" / "monitoring")
    }
    [ours, fallback] = documents["HorizontalPodAutoscaler"]["spec"]["metrics"]
    [adapter] = load(KUBERNETES / "components" / "monitoring" / "prometheus-adapter.yaml")
    [rule] = adapter["rules"]["custom"]
    alerts = documents["PrometheusRule"]["spec"]["groups"][0]["rules"]

    name = ours["pods"]["metric"]["name"]
    assert fallback["resource"]["name"] == "cpu" and "cpu" in container(documents)["resources"]["requests"]
    assert rule["seriesQuery"].startswith(f"{name}{{") and name in known
    assert ("requests_inside", frozenset({("queue", "images")})) in scraped
    for text in (rule["seriesQuery"], *(alert["expr"] for alert in alerts)):
        assert set(re.findall(r"colorcnn_\w+", text)) <= known
    assert 'queue="images"' in rule["metricsQuery"] and rule["resources"]["overrides"].keys() == {"namespace", "pod"}
    assert quantity(ours["pods"]["target"]["averageValue"]) < Settings().queue_size


def test_the_component_without_prometheus_leaves_the_cpu() -> None:
    plain, without = [
        {document["kind"]: document for document in render(OVERLAYS[0], *components)}
        for components in ((), [KUBERNETES / "components" / "cpu-metric-only"])
    ]
    metrics = [each["HorizontalPodAutoscaler"]["spec"]["metrics"] for each in (plain, without)]

    assert metrics[0][1:] == metrics[1] and metrics[1][0]["resource"]["name"] == "cpu"


def test_the_commands_of_the_page_name_folders_that_exist() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()
    folders = re.findall(r"kubectl apply -k (\S+)", page)

    assert {Path(folder).name for folder in folders} == {"cpu", "gpu"}
    assert all((ROOT / folder / "kustomization.yaml").is_file() for folder in folders)
    for component in COMPONENTS:
        assert f"`{component.name}`" in page


@pytest.mark.parametrize("file", RAY, ids=lambda file: file.name)
@pytest.mark.parametrize("version", VERSIONS[-1:])
def test_the_files_for_ray_are_well_formed(file: Path, version: str) -> None:
    for document in load(file):
        if "apiVersion" in document:
            validate(document, version)
        if document.get("kind") == "RayService":
            assert yaml.safe_load(document["spec"]["serveConfigV2"])["applications"]
            templates = [node["template"]["spec"] for node in nodes(document) if "template" in node]
            assert [template["enableServiceLinks"] for template in templates] == [False, False]
