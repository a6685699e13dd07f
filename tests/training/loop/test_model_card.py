"""training/loop/model_card.py: what a card says about a published run."""

from dataclasses import replace

from models.zoo.checkpoint import Provenance
from tests.models.zoo.test_manifest import QUANTIZER
from training.loop.finished_run import FinishedRun
from training.loop.model_card import model_card

COMMAND = "python -m training.train_colorcnn --lr 0.5"


def card(limits: str = "") -> str:
    entry = replace(QUANTIZER, accuracy={"held_out_top1_2": 0.8138, "test_top1_2": 0.896})
    provenance = Provenance(
        dataset=entry.dataset, command=COMMAND, commit="abc", seed=7, accuracy={}, notes="3 epochs on a slide rule"
    )
    config = {"network": {"features": 32}, "training": {"lr": 0.5}}
    return model_card(entry, provenance, FinishedRun(config, {}, {}, {"torch": "2.13.0"}, 3, 60.0), limits)


def test_a_card_has_numbers_recipe_and_file() -> None:
    text = card()
    for part in (COMMAND, "81.38 %", "89.60 %", "| lr | 0.5 |", '{"features": 32}', QUANTIZER.sha256):
        assert part in text
    assert f"against the frozen classifier `{QUANTIZER.classifier}`" in text
    assert "3 epochs on a slide rule; torch 2.13.0; seed 7; commit abc." in text


def test_the_limits_are_those_given_or_the_training_set() -> None:
    assert card("Not for the road.").endswith("## Limits\n\nNot for the road.\n")
    assert f"Trained on {QUANTIZER.dataset} alone" in card()
