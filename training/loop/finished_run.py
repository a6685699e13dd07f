"""A finished run, read from its folder, and the checkpoint that is made of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.names import ModelKind
from models.zoo.checkpoint import Checkpoint, Provenance
from training.loop import fit
from training.loop.log import LOG_FILE


@dataclass(frozen=True)
class FinishedRun:
    """What a training script left in its folder.

    config: as given to `run.fit`. scores: on the held-out part of train. start: the log's first line, where and how it
    was made. seconds: of training. reader: weights of the classifier that learned with a quantizer, if one did.
    """

    config: Mapping[str, Any]
    weights: Mapping[str, Any]
    scores: Mapping[str, float]
    start: Mapping[str, Any]
    epochs: int
    seconds: float
    reader: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, folder: Path) -> "FinishedRun":
        """Read state and log; raises SystemExit for a run that has epochs left."""
        state = fit.read_state(folder)
        wanted = state["config"]["training"]["epochs"]
        if state["epoch"] < wanted:
            raise SystemExit(f"{folder} has done {state['epoch']} of {wanted} epochs; finish it with --resume")
        start = json.loads((folder / LOG_FILE).read_text().splitlines()[0])
        made = (state["scores"], start, state["epoch"], state["seconds"])
        return cls(state["config"], state["weights"], *made, state.get("reader"))

    def split(self, name: str) -> tuple["FinishedRun", "FinishedRun"]:
        """The classifier that learned with the quantizer as a run of its own, and the quantizer as trained against it.

        name: what the classifier will be called. Raises SystemExit where there is none.
        """
        if self.reader is None:
            raise SystemExit("--reader: this run trained no classifier together with a quantizer")
        reader = {**self.config, "kind": ModelKind.CLASSIFIER.value, "network": self.config["reader"]}
        painter = {**self.config, "training": {**self.config["training"], "classifier": name}}
        return replace(self, config=reader, weights=self.reader), replace(self, config=painter)


def as_checkpoint(name: str, finished: FinishedRun) -> Checkpoint:
    """What `publish` saves, in half precision: equal runs give equal files. SystemExit for a run that diverged."""
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
            raise SystemExit(f"{name}: {tensor} is beyond half precision, the run diverged; train with a smaller --lr")
    return Checkpoint(ModelKind(finished.config["kind"]), finished.config["network"], provenance, finished.weights)
