"""A finished run, read from its folder, and the checkpoint made from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.names import ModelKind
from models.zoo.checkpoint import Checkpoint, Provenance
from training.loop.log import LOG_FILE
from training.loop.state import read_state


@dataclass(frozen=True)
class FinishedRun:
    """Content of the folder of a run.

    config: description of the run, see `fit.run_config`. scores: top-1 on the held-out part of train. start: first line
    of the log, with the command, the commit and the hardware. seconds: duration of the training. joint_classifier:
    weights of the classifier that was trained jointly with a quantizer, if there is one.
    """

    config: Mapping[str, Any]
    weights: Mapping[str, Any]
    scores: Mapping[str, float]
    start: Mapping[str, Any]
    epochs: int
    seconds: float
    joint_classifier: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, folder: Path) -> "FinishedRun":
        """Read state and log; raises SystemExit for a run that has epochs left."""
        state = read_state(folder)
        wanted = state["config"]["training"]["epochs"]
        if state["epoch"] < wanted:
            raise SystemExit(f"{folder} has done {state['epoch']} of {wanted} epochs; finish it with --resume")
        return cls(
            config=state["config"],
            weights=state["weights"],
            scores=state["scores"],
            start=json.loads((folder / LOG_FILE).read_text().splitlines()[0]),
            epochs=state["epoch"],
            seconds=state["seconds"],
            joint_classifier=state.get("joint_classifier"),
        )

    def split(self, name: str) -> tuple["FinishedRun", "FinishedRun"]:
        """Return the jointly trained classifier as a run of its own, and the quantizer as trained against it.

        name: under which the classifier will be published. Raises SystemExit if the run has no such classifier.
        """
        if self.joint_classifier is None:
            raise SystemExit("--joint-classifier: this run trained no classifier jointly with a quantizer")
        classifier = {**self.config, "kind": ModelKind.CLASSIFIER.value, "network": self.config["joint_classifier"]}
        quantizer = {**self.config, "training": {**self.config["training"], "classifier": name}}
        return replace(self, config=classifier, weights=self.joint_classifier), replace(self, config=quantizer)


def as_checkpoint(name: str, finished: FinishedRun) -> Checkpoint:
    """Return the checkpoint that is published; equal runs give equal checkpoints.

    Raises SystemExit for a run that diverged: its weights exceed half precision.
    """
    provenance = Provenance(
        dataset=finished.config["training"]["dataset"],
        command=finished.start["command"],
        commit=finished.start["commit"],
        seed=finished.config["training"]["seed"],
        accuracy=finished.scores,
        notes=f"{finished.epochs} epochs, {finished.seconds / 60:.0f} minutes on {finished.start['hardware']}",
    )
    for tensor, values in finished.weights.items():
        if values.is_floating_point() and not bool(values.half().isfinite().all()):
            raise SystemExit(f"{name}: {tensor} exceeds half precision: the run diverged; train with a smaller --lr")
    return Checkpoint(ModelKind(finished.config["kind"]), finished.config["network"], provenance, finished.weights)
