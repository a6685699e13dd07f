"""training/train_published.py: the reproduction learns, resumes and is published like the others."""

from pathlib import Path

import pytest
import torch

from models.errors import UnknownModel
from models.quantizers.learned.published import load_published
from models.zoo.registry import Registry
from tests.training.workshop import Workshop
from training import publish, train_published

FLAGS = ["--classifier", "stripes", "--colors", "2", "--width", "4", "--batch", "50", "--held-out", "400", "--fp32"]


def command(workshop: Workshop, out: Path, *more: str) -> list[str]:
    data = ["--data", str(workshop.data), "--dataset", "stripes", "--device", "cpu", "--models", str(workshop.models)]
    return [*data, "--out", str(out), *FLAGS, *more]


def test_training_makes_the_stripes_recognizable_in_two_colors(workshop: Workshop, tmp_path: Path) -> None:
    result = train_published.main(command(workshop, tmp_path, "--epochs", "2", "--lr", "0.1", "--crop", "0"))
    # Chance is one in three.
    assert result.top1 > 0.5


def test_the_contrast_of_soft_images_is_an_option(workshop: Workshop, tmp_path: Path) -> None:
    norms = {name: ["--color-norm", name] for name in ("1", "2")} | {"4": []}
    runs = {
        name: train_published.main(command(workshop, tmp_path / name, "--epochs", "1", "--train", "50", *flags))
        for name, flags in norms.items()
    }
    assert [run.network.config.color_norm for run in runs.values()] == [1, 2, 4]


def test_a_resumed_run_ends_with_the_same_weights(workshop: Workshop, tmp_path: Path) -> None:
    whole = train_published.main(command(workshop, tmp_path / "whole", "--epochs", "2"))
    with pytest.MonkeyPatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(KeyboardInterrupt):
            train_published.main(command(workshop, tmp_path / "parts", "--epochs", "2"))
    parts = train_published.main(command(workshop, tmp_path / "parts", "--epochs", "2", "--resume"))
    for name, weights in whole.network.state_dict().items():
        assert torch.equal(weights, parts.network.state_dict()[name]), name


def stop_after(epochs: int, patch: pytest.MonkeyPatch) -> None:
    train_epoch = train_published._train_epoch

    def interrupted(*args: object) -> dict[str, float]:
        if args[6] == epochs:
            raise KeyboardInterrupt
        return train_epoch(*args)  # type: ignore[arg-type]

    patch.setattr(train_published, "_train_epoch", interrupted)


def test_a_published_network_serves_only_its_number_of_colors(workshop: Workshop, tmp_path: Path) -> None:
    result = train_published.main(command(workshop, tmp_path / "run", "--epochs", "1"))
    models = tmp_path / "models"
    flags = ["--models", str(models), "--run"]
    publish.main([*flags, str(workshop.runs / "stripes"), "--name", "stripes"])
    entry = publish.main([*flags, str(tmp_path / "run"), "--name", "published-2"])
    assert (entry.kind, entry.colors, entry.size, entry.classifier) == ("colorcnn-published", (2, 2), 16, "stripes")
    registry, device = Registry.open(models), torch.device("cpu")
    network = load_published(registry, "published-2", device).network
    with pytest.raises(UnknownModel, match="'stripes' is a classifier"):
        load_published(registry, "stripes", device)
    images = torch.rand(2, 3, 16, 16)
    # Half precision may turn the index of a pixel that hardly prefers one.
    same = network.hard(images).indices == result.network.hard(images).indices
    assert same.float().mean() > 0.95
