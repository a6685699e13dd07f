"""The model card of a published run: numbers, recipe and limits, for people."""

import json
from pathlib import Path

from models.zoo.checkpoint import Provenance
from models.zoo.manifest import ModelEntry
from training.loop.finished_run import FinishedRun


def model_card(entry: ModelEntry, provenance: Provenance, finished: FinishedRun, limits: str) -> str:
    """Return the model card in Markdown.

    entry: as the manifest holds it, with measured accuracy and the hash of the file. limits: text of the last section;
        if empty, the card says what the model was trained on.
    """
    accuracy = "\n".join(f"| {key} | {100 * value:.2f} % |" for key, value in entry.accuracy.items())
    recipe = "\n".join(f"| {key} | {value} |" for key, value in finished.config["training"].items())
    against = f" against the frozen classifier `{entry.classifier}`" if entry.classifier else ""
    return f"""# {entry.name}

{entry.kind}, {entry.architecture}, trained on {entry.dataset} at {entry.size}x{entry.size} pixels{against}.
Configuration: `{json.dumps(finished.config["network"])}`.
Weights in half precision: `{Path(entry.file).name}`, SHA-256 `{entry.sha256}`.

## Numbers

`held_out`: images kept out of the training set; `test`: the whole test set, scored from PNG bytes.

| measure | value |
|---|---|
{accuracy}

## Recipe

    {provenance.command}

{provenance.notes}; torch {finished.start["torch"]}; seed {provenance.seed}; commit {provenance.commit}.

| option | value |
|---|---|
{recipe}

## Limits

{limits or f"Trained on {entry.dataset} alone, at {entry.size}x{entry.size} pixels; other images were not measured."}
"""
