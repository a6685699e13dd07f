"""The Dockerfile without Docker: run its commands in an empty folder, start the service there, measure its size.

    python -m tests.benchmarks.container --out docs/results/data/container.json

The service starts with the command and the environment of the image alone, in a read-only folder. When this user is
root, it runs as an unprivileged user, who must be able to run this Python. The health check of the image must succeed,
and /quantize and /compress must respond.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from models.evaluation.report_kinds import Kind
from tests.benchmarks.reporting import write_report
from tests.service.processes import ROOT, STARTED_WITHIN, STOPPED_WITHIN, free_port

PHOTO = ROOT / "tests" / "photos" / "cat.jpg"
_PLACES = re.compile(r"(?<![\w/.])/(opt/venv|app|requirements|source)\b")
"""Folders of the image, which move under another root here."""


@dataclass
class Image:
    """The result of a Dockerfile's instructions under `root`, and the start command of its last stage.

    All stages share the root, so COPY --from has nothing to do.
    """

    root: Path
    arguments: Mapping[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def build(self, dockerfile: str) -> None:
        """Follow every instruction.

        Raises:
            subprocess.CalledProcessError: a command failed.
            ValueError: an instruction is unknown.
        """
        lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", dockerfile, flags=re.MULTILINE)).splitlines()
        for line in filter(None, lines):
            name, _, rest = line.partition(" ")
            self._follow(name, _PLACES.sub(rf"{self.root}/\1", rest))

    def _follow(self, name: str, rest: str) -> None:
        match name:
            case "FROM":
                self.folder = self.root
            case "WORKDIR":
                self.folder = Path(rest)
                self.folder.mkdir(parents=True, exist_ok=True)
            case "COPY" if not rest.startswith("--from"):
                self._copy(*rest.split())
            case "RUN" if not rest.startswith("useradd"):
                subprocess.run(["sh", "-c", rest], cwd=self.folder, env={**_outside(), **self.arguments}, check=True)
            case "ENV":
                self.variables |= dict(pair.split("=", 1) for pair in shlex.split(os.path.expandvars(rest)))
            case "HEALTHCHECK":
                self.health = json.loads(rest.partition(" CMD ")[2])
            case "CMD":
                self.command = json.loads(rest)
            case "ARG" | "COPY" | "RUN" | "USER" | "EXPOSE":
                pass
            case _:
                raise ValueError(f"instruction {name!r} is unknown")

    def _copy(self, *names: str) -> None:
        *sources, target = names
        for source in sources:
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.partial")
                shutil.copytree(ROOT / source, self.folder / target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, self.folder / target)

    def _confined(self) -> dict[str, Any]:
        """Return the arguments of a process: its folder, its user, and its executable from the PATH of the image."""
        nobody = {"user": 10001, "group": 10001, "extra_groups": []} if os.getuid() == 0 else {}
        return {"cwd": self.folder, "executable": shutil.which(self.command[0], path=self.variables["PATH"])} | nobody

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run the service and yield its address when it is healthy."""
        port = free_port()
        how = self._confined() | {"env": self.variables | {"COLORCNN_HOST": "127.0.0.1", "COLORCNN_PORT": str(port)}}
        subprocess.run(["chmod", "-R", "a+rX,a-w", str(self.root)], check=True)
        process = subprocess.Popen(self.command, **how)
        try:
            deadline = time.monotonic() + STARTED_WITHIN
            while subprocess.run(self.health, **how, check=False).returncode:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the service did not become healthy, see its log above")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(STOPPED_WITHIN)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, build, start and measure, and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.container", description=__doc__)
    parser.add_argument("--torch-index", default="", help="value of TORCH_INDEX, see the Dockerfile")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        image = Image(Path(folder).resolve(), {"TORCH_INDEX": args.torch_index})
        image.build((ROOT / "Dockerfile").read_text())
        with image.serving() as url:
            responses = {path: ask(url, path) for path in ("/quantize", "/compress")}
        measured = {
            "torch": next((image.root / "opt" / "venv").glob("lib/*/site-packages/torch-*.dist-info")).name[6:-10],
            "statuses": responses,
            "bytes": {name: size_of(image.root / name) for name in ("opt/venv", "app")},
        }
    report = write_report(args.out, Kind.CONTAINER, f"tests.benchmarks.container --out {args.out}", measured)
    print(json.dumps(report, indent=1))
    return report


def ask(url: str, path: str) -> int:
    """Return the status of the response to a photo."""
    return httpx.post(f"{url}{path}", content=PHOTO.read_bytes(), timeout=60, trust_env=False).status_code


def size_of(folder: Path) -> int:
    """Return the bytes of all files and folders below `folder`; unlike `du -sb`, count each hard link."""
    return sum(file.lstat().st_size for file in folder.rglob("*"))


def _outside() -> dict[str, str]:
    """Return this environment with this Python as `python`."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


if __name__ == "__main__":
    main()
