"""The command in this process, with the fake engine where it would load networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from service.cli import session
from service.cli.main import cli
from service.lifecycle import Service
from service.settings import Settings
from tests.service.clients import fake_service
from tests.service.fakes import FakeEngine
from tests.service.images import encoded, ramp

Run = Callable[..., Result]
"""Runs `colorcnn` with arguments and, as `input`, the bytes of stdin."""


@pytest.fixture
def built(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether a network was asked for, for each service that the command started in this process."""
    networks: list[bool] = []

    def build(settings: Settings, *, networks: bool, kept: list[bool] = networks) -> Service:
        kept.append(networks)
        return fake_service(settings, engine)

    monkeypatch.setattr(session, "_build", build)
    return networks


@pytest.fixture
def colorcnn(built: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, input: bytes = b"") -> Result:
        return CliRunner().invoke(cli, [*arguments], input=input, prog_name="colorcnn")

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Path]:
    """A folder with pictures, one of them below, one broken file, and other files."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.PNG", "below/c.jpg")):
        (folder / name).write_bytes(encoded(ramp(40 + number, 24), "JPEG" if name.endswith("jpg") else "PNG"))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (folder / "notes.txt").write_text("none")
    (folder / ".hidden.png").write_bytes(b"none")
    yield folder


def opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        image.load()
        return image


def noise(side: int = 64) -> bytes:
    """Return a PNG of many colors, which few colors make much smaller."""
    generator: Any = np.random.default_rng(1)
    return encoded(generator.integers(0, 256, (side, side, 3), dtype=np.uint8))
