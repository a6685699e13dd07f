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
from models.zoo.registry import Registry
from tests.training.workshop import CLASSIFIER_FLAGS, Workshop
from training import train_classifier
from training.loop.state import STATE_FILE, read_state


def test_a_short_run_learns_the_stripes(workshop: Workshop) -> None:
    # Chance is 33 %, and an untrained network is there; three epochs reach 100 % with this seed.
    assert workshop.classifier.top1 > 0.9


def test_the_log_records_the_command_and_the_scores_of_each_epoch(workshop: Workshop) -> None:
    rows = [json.loads(line) for line in (workshop.runs / "stripes" / "log.jsonl").read_text().splitlines()]
    assert rows[0]["event"] == "start" and {"command", "commit", "hardware", "torch"} <= rows[0].keys()
    assert {"event": "data", "train": 1200, "held_out": 400, "batch": 50}.items() <= rows[1].items()
    assert [row["epoch"] for row in rows[2:]] == [1, 2, 3]
    assert rows[-1]["loss"] < rows[2]["loss"]


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


def test_a_transformer_learns_with_adamw_from_noisy_images(workshop: Workshop, tmp_path: Path) -> None:
    flags = ["--data", str(workshop.data), "--dataset", "stripes", "--out", str(tmp_path), "--device", "cpu"]
    flags += [*CLASSIFIER_FLAGS, "--architecture", "vit", "--width", "32", "--noise", "0.1"]
    result = train_classifier.main([*flags, "--optimizer", "adamw", "--lr", "0.003"])

    assert result.top1 > 0.6  # chance is 33 %
    state = read_state(tmp_path)
    assert (state["config"]["training"]["optimizer"], state["config"]["training"]["noise"]) == ("adamw", 0.1)
    assert "exp_avg" in state["optimizer"]["state"][0]


def test_a_start_keeps_its_stages_and_gets_a_new_last_layer(workshop: Workshop, tmp_path: Path) -> None:
    flags = ["--data", str(workshop.data), "--models", str(workshop.models), "--out", str(tmp_path), "--device", "cpu"]
    result = train_classifier.main([*flags, *CLASSIFIER_FLAGS, "--start", "stripes"])
    start = Registry.open(workshop.models).load("stripes", torch.device("cpu")).state_dict()
    ours = result.network.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in start.items() if name.startswith("stages."))
    assert not torch.equal(ours["head.weight"], start["head.weight"]) and result.top1 > 0.9
    assert read_state(tmp_path)["config"]["training"]["start"] == "stripes"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", "4"), "must be at least 8 for resnet9"),
        (("--cutout", "16"), "must be larger than --crop and --cutout"),
    ],
)
def test_a_size_that_the_network_cannot_use_is_refused(
    workshop: Workshop, tmp_path: Path, words: tuple[str, str], message: str
) -> None:
    flags = ["--data", str(workshop.data), "--out", str(tmp_path / "run"), "--device", "cpu", *CLASSIFIER_FLAGS]
    with pytest.raises(SystemExit, match=f"--size: {message}"):
        train_classifier.main([*flags, *words])
    assert list(tmp_path.iterdir()) == []
