"""models/networks/program.py and operators.py: programs equal the modules they describe, and hold nothing but data."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.networks.operators import find_operator
from models.networks.program import Maps, Program, ProgramConfig, Step

SIZE, CLASSES = 8, 3


def conv_step(source: str = "images") -> Step:
    arguments = ({"value": source}, {"weight": "conv.weight"}, {"weight": "conv.bias"}, [2, 2], [1, 1])
    return Step("aten.conv2d.default", arguments, {}, ("conv",))


STEPS = (
    conv_step(),
    Step("aten.relu_.default", ({"value": "conv"},), {}, ("features",)),
    Step("aten.mean.dim", ({"value": "features"}, [2, 3]), {}, ("means",)),
    Step(
        "aten.linear.default", ({"value": "means"}, {"weight": "head.weight"}, {"weight": "head.bias"}), {}, ("logits",)
    ),
)
WEIGHTS = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "head.weight": (CLASSES, 4), "head.bias": (CLASSES,)}
MAPS = Maps("features", 1, "head.weight")


def make_config(**changes: Any) -> ProgramConfig:
    values: dict[str, Any] = {
        "classes": CLASSES,
        "size": SIZE,
        "mean": (0.1, 0.2, 0.3),
        "std": (0.5, 0.6, 0.7),
        "input": "images",
        "output": "logits",
        "steps": STEPS,
        "weights": {name: (shape, "float32") for name, shape in WEIGHTS.items()},
        "maps": MAPS,
    }
    return ProgramConfig(**values | changes)


def make_program(**changes: Any) -> Program:
    program = Program(make_config(**changes)).eval()
    for number, buffer in enumerate(program.weights.buffers()):
        buffer.copy_(torch.randn(buffer.shape, generator=torch.Generator().manual_seed(number)))
    return program


def make_images(count: int = 2) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(9))


def reference(program: Program) -> tuple[nn.Module, nn.Module]:
    conv, head = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Linear(4, CLASSES)
    state = {name.removeprefix("weights.").replace("/", "."): value for name, value in program.state_dict().items()}
    for prefix, module in (("conv.", conv), ("head.", head)):
        module.load_state_dict({name: state[prefix + name] for name in ("weight", "bias")})
    return conv, head


def test_a_program_equals_the_module_that_it_describes() -> None:
    program = make_program()
    conv, head = reference(program)
    images = make_images()
    features = conv((images - program.mean) / program.std).relu()
    torch.testing.assert_close(program(images), head(features.mean((2, 3))))
    (slope,) = torch.autograd.grad(program(images.requires_grad_()).sum(), images)
    assert slope.isfinite().all() and slope.any()


def test_the_mean_of_an_exact_map_is_the_logit_minus_the_bias() -> None:
    program, images = make_program(), make_images()
    maps = program.class_maps(images, torch.tensor([2, 0]))
    expected = program(images)[[0, 1], [2, 0]] - program.weights.get_buffer("head/bias")[[2, 0]]
    torch.testing.assert_close(maps.mean((1, 2)), expected)


def test_maps_by_gradients_are_the_exact_ones_where_the_head_is_linear() -> None:
    """The gradient of a mean is the weight over the number of cells; Grad-CAM then drops negative evidence."""
    exact, images, classes = make_program(), make_images(), torch.tensor([2, 0])
    program = make_program(maps=Maps("features", 1, None))
    with torch.inference_mode():  # as in the service
        by_gradients = program.class_maps(images, classes)
    cells = by_gradients[0].numel()
    torch.testing.assert_close(by_gradients * cells, exact.class_maps(images, classes).relu())


def test_features_of_channels_last_have_maps_too() -> None:
    permute = Step("aten.permute.default", ({"value": "features"}, [0, 2, 3, 1]), {}, ("last",))
    mean = replace(STEPS[2], arguments=({"value": "last"}, [1, 2]))
    last = make_program(steps=(*STEPS[:2], permute, mean, STEPS[3]), maps=Maps("last", 3, "head.weight"))
    images, classes = make_images(), torch.tensor([1, 1])
    torch.testing.assert_close(last.class_maps(images, classes), make_program().class_maps(images, classes))


def test_a_program_without_pooled_features_has_no_maps() -> None:
    program = make_program(maps=None)
    assert not program.supports_maps
    with pytest.raises(ValueError, match="no features"):
        program.class_maps(make_images(), torch.tensor([0, 0]))


def test_a_later_step_in_place_does_not_change_a_result() -> None:
    program = make_program()
    (conv,) = program.results(make_images(), ("conv",))
    assert (conv < 0).any()


def test_the_configuration_survives_json() -> None:
    config = make_config()
    assert ProgramConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    "name",
    [
        "aten.from_file.default",
        "aten.save.default",
        "aten.linear.nothing",
        "aten._print.default",
        "operator.attrgetter",
        "os.system",
        "torch.load",
        "aten.__class__",
    ],
)
def test_an_operator_outside_the_list_is_rejected(name: str) -> None:
    with pytest.raises(ValueError, match="not supported"):
        find_operator(name)
    with pytest.raises(ValueError, match="not supported"):
        Program(make_config(steps=(replace(STEPS[0], operator=name), *STEPS[1:])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": (conv_step("nothing"), *STEPS[1:])}, "'nothing', which no earlier step computes"),
        ({"output": "nothing"}, "no step computes 'nothing'"),
        ({"steps": (Step("aten.add_.Tensor", ({"weight": "conv.bias"}, 1), {}, ("x",)), *STEPS)}, "changes a weight"),
        ({"steps": (Step("aten.relu.default", ({"weight": "other"},), {}, ("x",)), *STEPS)}, "'other'} is not supp"),
        ({"weights": {"conv.weight": ((1,), "complex64")}}, "complex64"),
        ({"std": (0.0, 1.0, 1.0)}, "std"),
        ({"size": 0}, "size"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_rejected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Program(make_config(**changes))
