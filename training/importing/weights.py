"""Reader of files of tensors: safetensors, or a pickle of which only tensors are read."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn

from training.importing.graph import Rejected

_WRAPPERS = ("state_dict", "model", "model_state_dict", "state_dict_ema", "model_ema")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_MOST_NAMES = 4


def read_weights(file: Path) -> dict[str, Tensor]:
    """Return the named tensors of a .safetensors or .pth file. Raises Rejected for anything else."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Rejected(f"{file} cannot be read ({error.strerror or error})") from error
    if file.suffix == ".safetensors":
        try:
            return safetensors.load(data)
        except (SafetensorError, ValueError, RuntimeError, LookupError, TypeError) as error:
            raise Rejected(f"{file} is not a readable safetensors file ({error})") from error
    return _unwrapped(file, _read_pickle(file, data))


def fill(model: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Load tensors into a model. Raises Rejected, with the names, unless they fit exactly."""
    wanted = model.state_dict()
    missing = [name for name in wanted if name not in tensors]
    unknown = [name for name in tensors if name not in wanted]
    shapes = [
        f"{name} has shape {tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    problems = [*_listed("lack", missing), *_listed("have unknown", unknown), *shapes[:_MOST_NAMES]]
    if problems:
        raise Rejected(f"the weights do not fit {what}: {'; '.join(problems)}")
    model.load_state_dict(dict(tensors))


def _read_pickle(file: Path, data: bytes) -> object:
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported global" in str(error) or "Unsupported class" in str(error):
            raise Rejected(
                f"{file} is a pickle that would run code when it is read; save the tensors alone, "
                "with safetensors.torch.save_file(model.state_dict(), FILE)"
            ) from error
        raise Rejected(f"{file} is not a readable file of tensors") from error
    except (EOFError, LookupError, RuntimeError, ValueError, AttributeError, TypeError) as error:
        raise Rejected(f"{file} is not a readable file of tensors ({str(error)[:120]})") from error


def _unwrapped(file: Path, content: object) -> dict[str, Tensor]:
    """Return the tensors of a training checkpoint, whose state dict lies under a key of its own."""
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(each, Tensor) for each in content.values())
    ):
        raise Rejected(f"{file} holds more than named tensors; save model.state_dict()")
    tensors = {str(name): tensor for name, tensor in content.items()}
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _listed(verb: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return [f"they {verb} {', '.join(names[:_MOST_NAMES])}{more}"]
