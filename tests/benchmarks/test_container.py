"""tests/benchmarks/container.py: it follows the instructions of a small Dockerfile; the real one takes minutes."""

import re
from pathlib import Path

import pytest

from tests.benchmarks.container import Image, size_of
from tests.service.processes import ROOT

DOCKERFILE = """
# A comment
ARG VERSION=1
FROM python:${VERSION} AS first
ARG WORD=""
WORKDIR /requirements
COPY LICENSE .
RUN cp LICENSE copy \\
    && echo "$WORD" > word

FROM python:${VERSION}
COPY --from=first /requirements /requirements
WORKDIR /app
RUN cp /requirements/word . && test ! -e models
COPY models models
ENV A=/app/bin:$HOME \\
    B=2
HEALTHCHECK --timeout=5s CMD ["true", "x"]
CMD ["sleep", "1"]
"""


def test_instructions_run_under_another_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/one")
    image = Image(tmp_path, {"WORD": "hello"})

    image.build(DOCKERFILE)

    assert (tmp_path / "app" / "word").read_text() == "hello\n"
    assert (tmp_path / "requirements" / "copy").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (tmp_path / "app" / "models" / "zoo" / "manifest.json").is_file()
    assert image.variables == {"A": f"{tmp_path}/app/bin:/home/one", "B": "2"}
    assert (image.folder, image.health, image.command) == (tmp_path / "app", ["true", "x"], ["sleep", "1"])


def test_every_instruction_of_the_dockerfile_is_supported(tmp_path: Path) -> None:
    names = set(re.findall(r"^([A-Z]+) ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE))
    lines = {"COPY": "--from=x y y", "RUN": "true", "ENV": "A=1", "HEALTHCHECK": "x CMD []", "CMD": "[]"}

    image = Image(tmp_path, {})
    image.build("\n".join(f"{name} {lines.get(name, str(tmp_path))}" for name in sorted(names)))
    assert image.variables == {"A": "1"}


def test_an_unknown_instruction_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SHELL"):
        Image(tmp_path, {}).build("SHELL x\n")


def test_the_size_counts_every_file_and_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b").symlink_to("a")

    assert size_of(tmp_path) == 1000 + len("a")
