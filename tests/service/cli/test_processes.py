"""The command as a process of its own: no torch, no bar in a pipe, and an end by Ctrl-C that leaves whole files."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.service.images import DRAWING
from tests.service.processes import ROOT, serving
from tests.service.waiting import PATIENCE

COMMAND = [sys.executable, "-m", "service.cli.main"]
ENVIRONMENT = {**{k: v for k, v in os.environ.items() if not k.startswith("COLORCNN_")}, "PYTHONPATH": str(ROOT)}
_CODE = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ImportError("torch is asked for")

sys.meta_path.insert(0, NoTorch())
from service.cli.main import main
main()
"""
TORCHLESS = [sys.executable, "-c", _CODE]
"""The command where torch cannot be imported."""


def colorcnn(*arguments: str, folder: Path, command: list[str] = COMMAND) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a folder `in` of many pictures."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(150):
        (folder / f"{number:03}.png").write_bytes(DRAWING)
    return tmp_path


@pytest.mark.parametrize("arguments", [["-m", "kmeans"], ["-m", "halftone", "--palette", "gameboy", "--alpha", "keep"]])
def test_a_classical_method_needs_no_torch(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "a.png").write_bytes(DRAWING)
    done = colorcnn("quantize", *arguments, "a.png", "-o", "b.png", folder=tmp_path, command=TORCHLESS)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "b.png").exists()
    compressed = colorcnn("compress", *arguments[:2], "a.png", folder=tmp_path, command=TORCHLESS)
    assert (compressed.returncode, compressed.stderr) == (0, "")


def _with_ctrl_c() -> None:
    """Let a process react to Ctrl-C, which those of a shell's background job ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_run_leaves_whole_files_and_goes_on(pictures: Path) -> None:
    arguments = ["quantize", "-m", "median_cut", "in", "--out-dir", "out"]
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=pictures,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=_with_ctrl_c,
    )
    os.setpriority(os.PRIO_PROCESS, process.pid, 19)  # so that it is not done before this process looks
    out = pictures / "out"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and len(list(out.glob("*.png"))) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    written = list(out.iterdir())
    assert process.returncode == 130 and b"Traceback" not in errors and b"left; the same command goes on" in errors
    assert 3 <= len(written) < 150 and all(file.suffix == ".png" for file in written)
    for file in written:
        with Image.open(file) as image:
            image.load()
    again = colorcnn(*arguments, folder=pictures)
    assert again.returncode == 0 and len(list(out.iterdir())) == 150
    assert f"{150 - len(written)} written; {len(written)} left out" in again.stderr


def test_a_terminal_shows_a_bar_and_a_pipe_none(pictures: Path) -> None:
    arguments = [*COMMAND, "quantize", "-q", "-m", "median_cut", "in", "--out-dir", "out"]
    ours, theirs = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(arguments, cwd=pictures, env=environment, stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    shown = _everything(ours)
    assert process.wait(PATIENCE) == 0
    assert "150/150" in shown and "a second" in shown and "150 written" in shown
    piped = colorcnn(*arguments[3:], "-f", folder=pictures)
    assert (piped.returncode, piped.stdout, piped.stderr) == (0, "", "150 written\n")


def test_a_server_does_what_this_process_does(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(DRAWING)
    (tmp_path / "broken.png").write_bytes(b"no image")
    lines = {}
    with serving("tests.service.fake_server", tmp_path / "log") as server:
        server.wait_until_ready()
        for name, where in (("there", ["--server", server.url]), ("here", [])):
            arguments = ["quantize", "-m", "wu", *where, "a.png", "broken.png", "--ext", f"-{name}.png", "-j", "1"]
            done = colorcnn(*arguments, folder=tmp_path)
            lines[name] = (done.returncode, done.stdout.replace(name, ""), done.stderr)
    assert lines["here"] == lines["there"] and lines["here"][0] == 1
    assert (tmp_path / "a-here.png").read_bytes() == (tmp_path / "a-there.png").read_bytes()


def _everything(descriptor: int) -> str:
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(descriptor, 1 << 16)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(descriptor)
    return b"".join(parts).decode(errors="replace")
