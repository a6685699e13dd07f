"""service/cluster/__main__.py: options and mistakes, without starting Ray."""

import subprocess
import sys
from pathlib import Path

import pytest

from models import threads
from service.cluster import __main__ as command
from tests.service.processes import ROOT, outside


def test_replicas_share_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cpus", lambda: 2)

    options = [
        command._options(command._parser().parse_args(words.split())) for words in ("", "--replicas 8", "--cpus 3")
    ]

    assert [(found.min_replicas, found.cpus) for found in options] == [(2, 1.0), (8, 0.25), (2, 3.0)]


def test_the_maximum_counts_for_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cpus", lambda: 4)

    options = command._options(command._parser().parse_args(["--replicas", "1", "--max-replicas", "16"]))

    assert (options.min_replicas, options.max_replicas, options.cpus) == (1, 16, 0.25)


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["--replicas", "0"], {}, "min_replicas: Input should be greater than or equal to 1"),
        (["--replicas", "3", "--max-replicas", "2"], {}, "max_replicas 2 is less than min_replicas 3"),
        ([], {"COLORCNN_PORT": "70000"}, "port"),
        ([], {"COLORCNN_MODELS_FOLDER": "/nowhere"}, "models_folder"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], variables: dict[str, str], message: str) -> None:
    done = run(arguments, variables)

    assert done.returncode == command.EXIT_BAD_OPTIONS
    assert message in done.stderr.lower() or message in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_a_damaged_manifest_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("ray.serve", reason="the extra `ray` is not installed")
    (tmp_path / "manifest.json").write_text("{}")

    done = run([], {"COLORCNN_MODELS_FOLDER": str(tmp_path)})

    assert done.returncode == command.EXIT_BROKEN
    assert "manifest.json" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def run(arguments: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cluster", *arguments],
        cwd=ROOT,
        env=outside() | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: None)

    assert command.main([]) == command.EXIT_BAD_OPTIONS
    assert "pip install 'colorcnn-service[ray]'" in capsys.readouterr().err
