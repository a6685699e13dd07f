"""Devices, and the processes of a distributed run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Workers:
    """Processes of a run: one, or as many as torchrun started."""

    rank: int = 0
    count: int = 1

    @classmethod
    def from_environment(cls) -> "Workers":
        """Join the process group that the environment variables of torchrun describe, if there is one."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(dist.get_rank(), count)

    def average_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Replace each gradient by its mean over the processes."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        joined = torch.cat([gradient.flatten() for gradient in gradients])  # one exchange, since each waits for all
        dist.all_reduce(joined)
        parts = joined.div_(self.count).split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def largest(self, value: float) -> float:
        """Return the largest value of all processes, so that all processes decide alike."""
        if self.count == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=select_device("auto"))
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        return float(shared)


def select_device(name: str) -> torch.device:
    """Return the device with the given name; `auto` is CUDA if there is a GPU, else the CPU.

    Raises SystemExit for a device that torch does not know or cannot use.
    """
    if name == "auto":
        return torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError):
        raise SystemExit(f"--device: torch cannot use {name!r} on this machine; leave it out, or give cpu") from None
    return device
