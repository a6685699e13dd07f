"""models/networks/integer.py: classifier and decoder in 8-bit integers compute what they compute in float32."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.networks.classifiers import ClassifierConfig
from models.networks.colorcnn import ColorCNN, ColorCNNConfig, build_colorcnn
from models.networks.integer import convert_to_integers
from models.networks.integer_layers import IntegerConvolution, enlarge, max_pool
from models.networks.precision import has_int8
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.zoo.registry import Registry
from tests.models.small_networks import make_8bit_images, make_colorcnn

CPU = torch.device("cpu")

needs_vnni = pytest.mark.skipif(not has_int8(CPU), reason="sums of products saturate without VNNI instructions")


def make_calibrated_colorcnn() -> ColorCNN:
    """Build a network whose batch norm knows the statistics of `make_8bit_images`, as after training."""
    network = make_colorcnn(8)
    network.train()
    network.encoder.train()
    for _ in range(30):
        network.describe(make_8bit_images(16))
    network.decoder.out.weight.data *= 30
    return network.eval()


def relative_error(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).square().mean().sqrt() / expected.square().mean().sqrt())


@needs_vnni
@torch.inference_mode()
def test_features_and_logits_are_those_of_float32() -> None:
    network, views = make_calibrated_colorcnn(), make_8bit_images(8)
    integer = convert_to_integers(network)
    assert integer is not None

    features, logits = integer.describe(views)

    expected = network.describe(views)
    assert features.dtype == logits.dtype == torch.float32
    # 8 bits for 8 standard deviations: each layer adds a noise of about 1 % of the activations.
    assert relative_error(features, expected.features) < 0.1
    assert relative_error(logits - logits.mean(0), expected.logits - expected.logits.mean(0)) < 0.1
    assert torch.equal(integer.classify(views), logits)


@needs_vnni
@torch.inference_mode()
def test_an_image_does_not_depend_on_its_batch() -> None:
    network, views = make_calibrated_colorcnn(), make_8bit_images(5)
    integer = convert_to_integers(network)
    assert integer is not None
    alone = [integer.describe(view) for view in views.split(1)]
    features, logits = integer.describe(views)
    assert torch.equal(features, torch.cat([each.features for each in alone]))
    torch.testing.assert_close(logits, torch.cat([each.logits for each in alone]))


@pytest.mark.parametrize("architecture", ["resnet18", "alexnet"])
def test_other_architectures_have_no_integer_form(architecture: str) -> None:
    encoder = ClassifierConfig(architecture=architecture, classes=3, size=32, width=4)  # type: ignore[arg-type]
    widths = (4, 4, 4, 4) if architecture == "resnet18" else (4, 4, 4)
    network = build_colorcnn(ColorCNNConfig(encoder=encoder, widths=widths, features=8, hidden=8)).eval()
    assert convert_to_integers(network) is None


def test_a_sub_pixel_branch_has_no_integer_form() -> None:
    assert convert_to_integers(make_colorcnn(subpixel=4)) is None


@needs_vnni
@torch.inference_mode()
def test_a_convolution_rounds_its_result_to_the_step() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (2, 3, 6, 6), generator=generator, dtype=torch.uint8)
    x = x.contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(5, 3, 3, 3, generator=generator), torch.randn(5, generator=generator)
    inputs, outputs = torch.tensor([0.01, 0.02, 0.001]), torch.linspace(0.05, 0.2, 5)
    expected = F.conv2d(x * inputs.view(1, -1, 1, 1), weight, bias, padding=1)

    result = IntegerConvolution(weight, bias, inputs, outputs, padding=1)(x)

    assert result.dtype == torch.uint8
    steps = expected / outputs.view(1, -1, 1, 1)
    assert float((result - steps.clamp(0, 255)).abs().max()) < 4  # 27 products with weights of 7 bits, and half a step
    linear = IntegerConvolution(weight, bias, inputs, padding=1).linear(x, torch.float32)
    assert relative_error(linear, expected) < 0.01
    total = torch.randn(expected.shape, generator=generator).to(torch.bfloat16, memory_format=torch.channels_last)
    summed = IntegerConvolution(weight, bias, inputs, outputs, padding=1).onto(x, total.clone())
    assert float((summed - (steps + total).clamp(0, 255)).abs().max()) < 4


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_the_largest_of_four_cells(size: tuple[int, int]) -> None:
    x = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    assert torch.equal(max_pool(x).float(), nn.MaxPool2d(2)(x.float()))


@pytest.mark.parametrize("size", [(2, 3), (4, 6), (5, 8)])
def test_cells_are_repeated_as_in_an_interpolation(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, 2, 3)
    assert torch.equal(enlarge(x, size), F.interpolate(x, size, mode="nearest"))


@needs_vnni
def test_the_shipped_quantizer_uses_integers() -> None:
    quantizer = load_quantizer(Registry.open(), "cifar10-resnet9-colorcnn", CPU)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    plain = LearnedQuantizer(quantizer.network, CPU)
    for method in ("colorcnn", "colorcnn_one_pass"):
        results = [each.for_method(method).quantize_batch(images, 4) for each in (quantizer, plain)]
        assert results[0] == quantizer.for_method(method).quantize_batch(images, 4)
        for ours, theirs in zip(*results, strict=True):
            assert np.abs(ours.render().astype(float) - theirs.render()).mean() < 12  # a few pixels change their entry
    assert quantizer.integer is not None
