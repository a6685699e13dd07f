"""State of a run on disk: written after each epoch, restored when the run is resumed."""

import pickle
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import torch

from models.files import write_atomically
from training.options import RENAMED

STATE_FILE = "state.pt"
_NEEDED = {"config", "epoch"}


class Stateful(Protocol):
    """Part of a run that is saved and restored: a network, an optimizer or a scheduler."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training has changed."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Restore the part from the result of `state_dict`."""


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a run; other processes see either the old file or the new one."""
    buffer = BytesIO()
    torch.save(dict(state), buffer)
    write_atomically(folder / STATE_FILE, buffer.getvalue())


def read_state(folder: Path) -> dict[str, Any]:
    """Read the state of the run in `folder` onto the CPU; raises SystemExit if there is none, or a damaged one.

    Former names of options are replaced by the present ones.
    """
    file = folder / STATE_FILE
    if not file.exists():
        raise SystemExit(f"there is no {file}: train first, without --resume")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, LookupError, RuntimeError, ValueError):
        content = None
    if not isinstance(content, dict) or not content.keys() >= _NEEDED:
        raise SystemExit(f"{file} is damaged, or no state of a training run: give another folder, or delete the file")
    state = {RENAMED.get(name, name): value for name, value in content.items()}
    return state | {"config": with_current_names(state["config"])}


def with_current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy whose keys are the present names of options, at all levels."""
    return {
        RENAMED.get(name, name): with_current_names(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
    }


def restore(parts: Mapping[str, Stateful], folder: Path, config: Mapping[str, Any]) -> tuple[int, float]:
    """Restore the parts from the state in `folder`; returns the finished epochs and their seconds.

    Raises SystemExit if the state is of a run with another configuration.
    """
    state = read_state(folder)
    stored = state["config"]
    if differ := sorted(key for key in {*stored, *config} if stored.get(key) != config.get(key)):
        raise SystemExit(f"--resume: {folder} was made with other values of: {', '.join(differ)}")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["epoch"], state["seconds"]
