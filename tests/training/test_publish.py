"""training/publish.py: a finished run becomes a checkpoint, a card and an entry of the manifest."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from models.errors import CorruptCheckpoint
from models.names import ModelKind
from models.quantizers.learned.colorcnn import load_quantizer
from models.zoo import checkpoint
from models.zoo.registry import Registry
from tests.training.workshop import Workshop
from training import publish
from training.loop.log import LOG_FILE
from training.loop.state import read_state, save_state
from training.train_colorcnn import started_from


def test_the_published_network_matches_the_trained_one(workshop: Workshop) -> None:
    published = Registry.open(workshop.models).load("stripes", torch.device("cpu"))
    images = torch.rand(4, 3, 16, 16)
    # Half precision: weights move by 2^-11, logits of order 10 by a few hundredths.
    torch.testing.assert_close(published(images), workshop.classifier.network.eval()(images), rtol=0, atol=0.1)


def test_manifest_and_cards_record_the_provenance_of_models(workshop: Workshop) -> None:
    registry = Registry.open(workshop.models)
    classifier, quantizer = registry.entry("stripes"), registry.entry("stripes-q")
    assert registry.default(ModelKind.CLASSIFIER) == classifier and registry.default(ModelKind.COLORCNN) == quantizer
    assert len(classifier.classes) == 3 and classifier.size == 16
    assert quantizer.classifier == "stripes" and quantizer.colors == (2, 256)
    assert quantizer.accuracy["held_out_top1_2"] == workshop.quantizer.scores["held_out_top1_2"]
    card = (workshop.models / quantizer.card).read_text()
    assert quantizer.command in card and quantizer.sha256 in card and "| contrast | 2.0 |" in card


def test_the_weights_of_the_encoder_are_stored_once(workshop: Workshop) -> None:
    registry = Registry.open(workshop.models)
    entry = registry.entry("stripes-q")
    stored = checkpoint.load(workshop.models / entry.file)
    assert stored.shared == {"encoder": registry.entry("stripes").sha256}
    assert not any(name.startswith("encoder.") for name in stored.tensors)


def test_publishing_again_with_results_changes_the_accuracy_but_not_the_weights(
    workshop: Workshop, tmp_path: Path
) -> None:
    models = Path(shutil.copytree(workshop.models, tmp_path / "models"))
    for name, folder in (("stripes", "stripes"), ("stripes-q", "stripes-q")):
        before = Registry.open(models).entry(name)
        flags = ["--models", str(models), "--run", str(workshop.runs / folder), "--name", name]
        after = publish.main([*flags, "--results", str(workshop.results)])
        assert after.sha256 == before.sha256 and Registry.open(models).entry(name) == after
    assert Registry.open(models).entry("stripes").accuracy["test_top1"] == workshop.report["top1_original"]
    two = next(row for row in workshop.report["rows"] if row["model"] == "stripes-q" and row["colors"] == 2)
    assert Registry.open(models).entry("stripes-q").accuracy["test_top1_2"] == two["top1"]


def test_what_only_the_use_of_a_quantizer_has_is_published(workshop: Workshop, tmp_path: Path) -> None:
    models = Path(shutil.copytree(workshop.models, tmp_path / "models"))
    flags = ["--models", str(models), "--run", str(workshop.runs / "stripes-q"), "--name", "stripes-q"]
    former = publish.main([*flags, "--fade", "32", "64", "--strengths", "0.5", "1"])
    assert publish.main([*flags, "--structure-cutoff", "32", "64", "--structure-scales", "0.5", "1"]) == former
    config = load_quantizer(Registry.open(models), "stripes-q", torch.device("cpu")).network.config
    assert (config.structure_cutoff, config.structure_gain, config.structure_scales) == ((32, 64), 1, (0.5, 1.0))
    stronger = publish.main([*flags, "--structure-gain", "1.5"])
    quantizer = load_quantizer(Registry.open(models), "stripes-q", torch.device("cpu"))
    assert quantizer.network.config.structure_gain == 1.5 and stronger.sha256 != former.sha256
    publish.main([*flags, "--structure-gain", "1.5", "--view-shifts", "2", "4", "--view-scales", "1", "0.5"])
    config = load_quantizer(Registry.open(models), "stripes-q", torch.device("cpu")).network.config
    assert (config.view_shifts, config.view_scales) == ((2, 4), (1.0, 0.5))
    started = started_from(Registry.open(models), "stripes-q").config
    assert (started.structure_gain, started.view_shifts, started.view_scales) == (1, (2,), (1.0,))
    with pytest.raises(SystemExit, match="for quantizers"):
        publish.main(["--run", str(workshop.runs / "stripes"), "--name", "x", "--structure-cutoff", "32", "64"])
    with pytest.raises(SystemExit, match=r"--structure-cutoff: structure_cutoff must be two rising numbers"):
        publish.main([*flags, "--structure-cutoff", "64", "32"])


def test_a_quantizer_is_published_with_its_guides(workshop: Workshop, tmp_path: Path) -> None:
    models = Path(shutil.copytree(workshop.models, tmp_path / "models"))
    classifier = ["--models", str(models), "--run", str(workshop.runs / "stripes")]
    publish.main([*classifier, "--name", "guide"])
    flags = ["--models", str(models), "--run", str(workshop.runs / "stripes-q"), "--name", "stripes-q"]
    assert publish.main([*flags, "--guides", "guide"]).guides == ("guide",)
    quantizer = load_quantizer(Registry.open(models), "stripes-q", torch.device("cpu"))
    assert len(quantizer.guides) == 1 and quantizer.for_method("colorcnn_refined").guides == quantizer.guides
    assert quantizer.for_method("colorcnn_refined_code").guides == ()
    with pytest.raises(SystemExit, match="--guides: for quantizers only"):
        publish.main([*classifier, "--name", "guide", "--guides", "stripes"])
    with pytest.raises(CorruptCheckpoint, match=r"guides\.0 must name another classifier"):
        publish.main([*flags, "--guides", "nobody"])


def test_an_unfinished_run_is_not_published(workshop: Workshop, tmp_path: Path) -> None:
    state = read_state(workshop.runs / "stripes") | {"epoch": 2}
    save_state(tmp_path, state)
    with pytest.raises(SystemExit, match="2 of 3 epochs"):
        publish.main(["--models", str(tmp_path / "models"), "--run", str(tmp_path), "--name", "half"])
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_a_diverged_run_is_not_published(workshop: Workshop, tmp_path: Path, value: float) -> None:
    state = read_state(workshop.runs / "stripes")
    name, weights = next((name, tensor) for name, tensor in state["weights"].items() if tensor.is_floating_point())
    save_state(tmp_path, state | {"weights": state["weights"] | {name: torch.full_like(weights, value)}})
    shutil.copy(workshop.runs / "stripes" / LOG_FILE, tmp_path)
    with pytest.raises(SystemExit, match=f"{name} .*diverged.*smaller --lr"):
        publish.main(["--models", str(tmp_path / "models"), "--run", str(tmp_path), "--name", "wild"])
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("name", ["../escaped", "a/b", "", ".hidden", "two words"])
def test_nothing_is_written_for_an_invalid_name(workshop: Workshop, tmp_path: Path, name: str) -> None:
    with pytest.raises(CorruptCheckpoint, match="name must be letters"):
        publish.main(["--models", str(tmp_path / "m"), "--run", str(workshop.runs / "stripes"), "--name", name])
    assert list(tmp_path.rglob("*")) == []


def test_a_quantizer_cannot_be_published_without_its_classifier(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(CorruptCheckpoint, match="must name a classifier"):
        publish.main(["--models", str(tmp_path / "m"), "--run", str(workshop.runs / "stripes-q"), "--name", "alone"])
    assert list(tmp_path.rglob("*")) == []


def test_the_manifest_lists_each_model_once(workshop: Workshop) -> None:
    content = json.loads((workshop.models / "manifest.json").read_text())
    assert [model["name"] for model in content["models"]] == ["stripes", "stripes-q"]


def test_results_of_other_weights_are_not_published(workshop: Workshop, tmp_path: Path) -> None:
    models = Path(shutil.copytree(workshop.models, tmp_path / "models"))
    flags = ["--models", str(models), "--run", str(workshop.runs / "stripes-q"), "--name", "stripes-q"]
    publish.main([*flags, "--results", str(workshop.results)])
    assert Registry.open(models).results("stripes-q") == workshop.report
    other = tmp_path / "other.json"
    other.write_text(json.dumps(workshop.report | {"sha256": {"stripes-q": "0" * 64}}))
    with pytest.raises(SystemExit, match="weights other than"):
        publish.main([*flags, "--results", str(other)])
    Registry.open(models).load("stripes-q", torch.device("cpu"))  # still the file that the manifest describes
    other.write_text(json.dumps(workshop.report | {"kind": "bpg", "codec": "BPG 4:2:0"}))
    with pytest.raises(SystemExit, match=r"is a report of kind 'bpg'; give a report of training\.evaluate"):
        publish.main([*flags, "--results", str(other)])


def test_a_results_file_that_cannot_be_read_is_named_once(workshop: Workshop, tmp_path: Path) -> None:
    flags = ["--models", str(tmp_path / "m"), "--run", str(workshop.runs / "stripes"), "--name", "x"]
    with pytest.raises(SystemExit, match=r"^--results: \S*missing\.json cannot be read"):
        publish.main([*flags, "--results", str(tmp_path / "missing.json")])
    assert list(tmp_path.iterdir()) == []
