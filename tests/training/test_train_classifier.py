"""training/train_classifier.py: it learns, and a run that was killed ends as one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from models.networks.classifiers import Classifier
from tests.training.workshop import CLASSIFIER_FLAGS, Workshop
from training import train_classifier
from training.loop.state import STATE_FILE, read_state


def test_a_short_run_learns_the_stripes(workshop: Workshop) -> None:
    # Chance is 33 %, and an untrained network is there; three epochs reach 100 % with this seed.
    assert workshop.classifier.top1 > 0.9


def test_the_log_records_the_command_and_the_scores_of_each_epoch(workshop: Workshop) -> None:
    rows = [json.loads(line) for line in (workshop.runs / "stripes" / "log.jsonl").read_text().splitlines()]
    assert rows[0]["event"] == "start" and {"command", "commit", "hardware", "torch"} <= rows[0].keys()
    assert [row["epoch"] for row in rows[1:]] == [1, 2, 3]
    assert rows[-1]["loss"] < rows[1]["loss"]


def test_a_run_resumed_after_kill_9_ends_with_the_same_weights(workshop: Workshop, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.train_classifier", "--data", str(workshop.data), "--dataset", "stripes"]
    command += ["--out", str(tmp_path), "--device", "cpu", *CLASSIFIER_FLAGS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / STATE_FILE).exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    assert read_state(tmp_path)["epoch"] < 3, "the run ended before it was killed"
    subprocess.run([*command, "--resume"], check=True, stdout=subprocess.DEVNULL)
    resumed, whole = read_state(tmp_path), read_state(workshop.runs / "stripes")
    assert resumed["epoch"] == whole["epoch"] == 3
    assert all(torch.equal(value, resumed["weights"][name]) for name, value in whole["weights"].items())


def test_the_first_epochs_may_use_images_of_half_the_side(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, bool]] = []

    def recorded(network: Classifier, images: torch.Tensor) -> torch.Tensor:
        seen.append((images.shape[-1], network.training))
        return forward(network, images)

    forward = Classifier.forward
    monkeypatch.setattr(Classifier, "forward", recorded)
    flags = ["--data", str(workshop.data), "--dataset", "stripes", "--out", str(tmp_path), "--device", "cpu"]
    result = train_classifier.main([*flags, *CLASSIFIER_FLAGS, "--half-size", "0.5"])
    sizes = [size for size, training in seen if training]
    # Three epochs, of which the first two begin in the first half.
    assert sizes == [8] * (len(sizes) * 2 // 3) + [16] * (len(sizes) // 3) and result.top1 > 0.9
    assert {size for size, training in seen if not training} == {16}
