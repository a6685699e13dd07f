"""Kinds of JSON reports, and the entries that every report begins with."""

from enum import StrEnum
from typing import Any

SCHEMA_VERSION = 1


class Kind(StrEnum):
    """What a report measured."""

    # Written by training.evaluate and the scripts beside it.
    EVALUATION = "evaluation"
    BPG = "bpg"
    PALETTE_MODES = "bpg-palette-modes"
    FIDELITY = "fidelity"
    FINETUNING = "finetuning"
    FINETUNING_BPG = "finetuning-bpg"
    PHOTOGRAPHS = "photographs"
    ROBUSTNESS = "robustness"
    BYTES = "bytes"
    # Written by hand: published results of others, our targets, and the reading of mutants that survived.
    PUBLISHED = "published"
    TARGETS = "targets"
    EXPLANATIONS = "explanations"
    # Written by tests.benchmarks, tests.fuzz and tests.mutants. A report of SERVING contains one report of each kind of
    # its parts.
    SERVING = "serving"
    NETWORK = "network"
    UPLOAD = "upload"
    BATCHING = "batching"
    PNG = "png"
    PHOTO = "photo"
    ISOLATION = "isolation"
    SOAK = "soak"
    ENDURANCE = "endurance"
    START = "start"
    SHARED = "shared"
    FUZZ = "fuzz"
    CONTAINER = "container"
    REFINEMENT = "refinement"
    BPG_SPEED = "bpg-speed"
    MUTANTS = "mutants"
    QUANTIZERS = "quantizers"
    LIKENESS = "likeness"
    CLUSTER = "cluster"
    OFFLINE = "offline"


def head(kind: Kind) -> dict[str, Any]:
    """Return the first entries of a report of that kind."""
    return {"kind": kind.value, "schema_version": SCHEMA_VERSION}
