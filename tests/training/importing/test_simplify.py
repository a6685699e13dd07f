"""training/importing/simplify.py: numbers of a fixed size are computed once, and useless steps go."""

import torch
from torch import Tensor, nn

from tests.training.importing.exported import SIZE, exported, images, make_classifier, traced
from training.importing.pt2 import read_pt2
from training.importing.simplify import build, plain_config, simplify
from training.importing.torchscript import read_torchscript


class _Wasteful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.unused(x.mean((2, 3)))
        return (x * (x.shape[2] // 2)).mean((2, 3)).view(x.shape[0], -1)


def test_only_what_the_logits_need_is_kept() -> None:
    model = _Wasteful().eval()
    graph = read_torchscript(traced(model))
    simple = simplify(graph, SIZE)
    assert len(simple.steps) < len(graph.steps)
    assert not simple.weights.keys() & {name for name, tensor in graph.weights.items() if tensor.shape == (3, 3)}
    assert torch.equal(build(simple, plain_config(simple, SIZE))(images(3)), model(images(3)))


def test_a_number_that_depends_on_the_batch_stays() -> None:
    graph = simplify(read_pt2(exported(make_classifier())), SIZE)
    assert "aten.sym_size.int" in {step.operator for step in graph.steps}


def test_a_step_in_place_stays_even_if_its_result_has_no_use() -> None:
    class InPlace(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x + 1
            y.mul_(2)
            return y.mean((2, 3))

    model = InPlace()
    graph = simplify(read_pt2(exported(model)), SIZE)
    assert torch.equal(build(graph, plain_config(graph, SIZE))(images()), model(images()))
