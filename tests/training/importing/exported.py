"""A tiny classifier, and the files that another project would export it to."""

import io
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

SIZE, CLASSES = 16, 3
DESCRIPTION = """
size = 16
resize = "crop"
crop = 0.5
interpolation = "bicubic"
mean = [0.4, 0.5, 0.6]
std = [0.2, 0.3, 0.4]
classes = ["cat", "dog", "bird"]
dataset = "pets"
"""


class TinyClassifier(nn.Module):
    """Convolution, batch norm, ReLU in place, mean, linear layer; `sized` adds a step that needs the size of the batch.

    head: returns logits from the pooled features; None for the linear layer.
    """

    def __init__(self, head: Callable[[nn.Module, Tensor], Tensor] | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 8, 3, stride=4, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(8, CLASSES)
        self.norm.running_mean = torch.rand(8)
        self.norm.running_var = 0.5 + torch.rand(8)
        self._head = head

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv(x)))
        x = x.mean((2, 3)).view(x.size(0), -1)
        return self.fc(x) if self._head is None else self._head(self.fc, x)


def make_classifier(head: Callable[[Any, Tensor], Tensor] | None = None) -> TinyClassifier:
    return TinyClassifier(head).eval()


def images(count: int = 2) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def exported(model: nn.Module, *, batch: bool = True) -> bytes:
    """Return the file of torch.export.save. batch: whether the batch has any size."""
    shapes = ({0: torch.export.Dim("batch")},) if batch else None
    file = io.BytesIO()
    torch.export.save(torch.export.export(model, (images(),), dynamic_shapes=shapes), file)
    return file.getvalue()


def traced(model: nn.Module) -> bytes:
    """Return the file of torch.jit.save of a traced model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript
        return _saved(torch.jit.trace(model, images()))


def scripted(model: nn.Module) -> bytes:
    """Return the file of torch.jit.save of a scripted model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _saved(torch.jit.script(model))


def _saved(module: Any) -> bytes:
    file = io.BytesIO()
    torch.jit.save(module, file)
    return file.getvalue()
