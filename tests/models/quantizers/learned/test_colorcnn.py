"""models/quantizers/learned/colorcnn.py: the promises that all quantizers share, for images of any size, in tiles."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from models.errors import BadOption
from models.networks import arg_max
from models.networks.colorcnn import ColorCNN
from models.networks.plan import Plan
from models.pauses import at_each_pause
from models.quantizers.learned import colorcnn
from models.quantizers.learned.colorcnn import LearnedQuantizer
from tests.models.small_networks import make_colorcnn


def make_quantizer(structure_cutoff: tuple[int, int] | None = None) -> LearnedQuantizer:
    return LearnedQuantizer(make_colorcnn(structure_cutoff=structure_cutoff), torch.device("cpu"))


QUANTIZER = make_quantizer()


def make_pixels(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=40)
@given(height=st.integers(1, 40), width=st.integers(1, 40), colors=st.integers(2, 256), seed=st.integers(0, 9))
def test_at_most_k_colors_in_the_size_of_the_image_each_the_mean_of_its_pixels(
    height: int, width: int, colors: int, seed: int
) -> None:
    pixels = make_pixels(height, width, seed)
    quantized = QUANTIZER.quantize(pixels, colors)
    assert (quantized.height, quantized.width) == (height, width)
    assert quantized.colors <= colors
    for entry in range(quantized.colors):
        mean = pixels[quantized.indices == entry].mean(0)
        assert np.abs(quantized.palette[entry] - mean).max() <= 0.5 + 1e-9
    assert quantized == QUANTIZER.quantize(pixels, colors)


@given(colors=st.integers(2, 256), seed=st.integers(0, 9))
@settings(max_examples=20)
def test_an_image_with_no_more_than_k_colors_comes_back_exactly(colors: int, seed: int) -> None:
    palette = make_pixels(colors, 1, seed)[:, 0]
    pixels = palette[np.random.default_rng(seed).integers(0, colors, (20, 30))]
    assert np.array_equal(QUANTIZER.quantize(pixels, colors).render(), pixels)


@pytest.mark.parametrize("shape", [(90, 70), (3, 1500), (1500, 1)])
@pytest.mark.parametrize("colors", [2, 100])
def test_tiles_give_the_same_result_as_the_whole_image(
    shape: tuple[int, int], colors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = make_pixels(*shape)
    whole = QUANTIZER.quantize(pixels, colors)
    monkeypatch.setattr(colorcnn, "_TILE_PIXELS", 600)
    assert len(list(colorcnn._tiles(shape))) > 1
    tiled = QUANTIZER.quantize(pixels, colors)
    # Matrix products of other shapes round differently, which may turn a tie.
    assert np.mean(tiled.render() != whole.render()) < 0.01


def test_an_ended_quantization_indexes_no_further_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    indexed: list[int] = []
    indices = Plan.indices

    def counting(plan: Plan, *args: Any) -> Tensor:
        indexed.append(1)
        return indices(plan, *args)

    def end() -> None:
        if len(indexed) == 3:
            raise InterruptedError

    monkeypatch.setattr(Plan, "indices", counting)
    monkeypatch.setattr(colorcnn, "_TILE_PIXELS", 600)
    with pytest.raises(InterruptedError), at_each_pause(end):
        QUANTIZER.quantize(make_pixels(90, 70), 4)

    assert len(indexed) == 3


@given(height=st.integers(1, 5000), width=st.integers(1, 5000))
def test_tiles_cover_the_image_once_and_are_bounded(height: int, width: int) -> None:
    tiles = list(colorcnn._tiles((height, width)))
    sizes = [(rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in tiles]
    assert sum(sizes) == height * width
    assert max(sizes) <= colorcnn._TILE_PIXELS


def test_a_batch_is_quantized_as_its_images_are() -> None:
    images = np.stack([make_pixels(16, 16, seed) for seed in range(3)])
    images[2] = images[2, 0, 0]
    for quantized, pixels in zip(QUANTIZER.quantize_batch(images, 6), images, strict=True):
        alone = QUANTIZER.quantize(pixels, 6)
        # A batch of other size may round a tie differently.
        assert np.mean(quantized.render() != alone.render()) < 0.02


def mixed_images() -> list[NDArray[np.uint8]]:
    """Images of several sizes: two of the same, one of the native size, one flat, and one with a few colors more."""
    images = [make_pixels(*shape, seed) for seed, shape in enumerate([(30, 50), (16, 16), (5, 7), (1, 400), (30, 50)])]
    images.append(np.full((40, 20, 3), 77, np.uint8))
    images.append(np.tile(make_pixels(1, 7, 3) // 64 + 100, (9, 9, 1)))
    return images


@pytest.mark.parametrize("colors", [2, 6, 100])
@pytest.mark.parametrize("method", ["colorcnn", "colorcnn_one_pass", "colorcnn_refined"])
def test_images_of_different_sizes_are_quantized_together_as_they_are_alone(method: str, colors: int) -> None:
    quantizer = QUANTIZER.for_method(method)
    images = mixed_images()
    for quantized, pixels in zip(quantizer.quantize_together(images, colors), images, strict=True):
        alone = quantizer.quantize(pixels, colors)
        assert quantized.indices.shape == pixels.shape[:2]
        # A batch of other size may round a tie differently.
        assert np.mean(quantized.render() != alone.render()) < 0.02


def test_the_colors_of_an_image_do_not_depend_on_the_others_in_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    plan = ColorCNN.plan

    def recording(self: ColorCNN, view: Tensor, pixels: Sequence[Tensor], colors: int) -> Plan:
        made = plan(self, view, pixels, colors)
        seen.append(made.weights)
        return made

    monkeypatch.setattr(ColorCNN, "plan", recording)
    monkeypatch.setattr(colorcnn, "_SAMPLE", 500)
    images = [make_pixels(*shape, 7) for shape in ((30, 50), (5, 9), (40, 40), (7, 7))]
    QUANTIZER.quantize_together(images, 6)
    alone = [QUANTIZER.quantize(pixels, 6) for pixels in images]
    together, *each = seen
    assert len(alone) == len(each) == len(together) == len(images)
    assert sorted(row.tolist() for row in together) == sorted(weights[0].tolist() for weights in each)


def test_an_image_that_the_network_would_make_flat_keeps_two_colors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A structure that favors one index everywhere gives one flat color, so k-means alone decides instead."""
    plan = ColorCNN.plan

    def favor_one_index(self: ColorCNN, view: Tensor, pixels: Tensor, colors: int) -> Plan:
        biased = plan(self, view, pixels, colors)
        assert biased.structure is not None
        biased.structure[:, 0] += 1e9
        return biased

    monkeypatch.setattr(ColorCNN, "plan", favor_one_index)
    images = np.stack([make_pixels(16, 16, seed) for seed in range(2)])
    assert [quantized.colors for quantized in QUANTIZER.quantize_batch(images, 2)] == [2, 2]
    assert QUANTIZER.quantize(make_pixels(30, 50), 2).colors == 2
    assert [quantized.colors for quantized in QUANTIZER.quantize_together([make_pixels(30, 50)] * 2, 2)] == [2, 2]


class _Allocations(TorchDispatchMode):
    """Records the bytes of the largest tensor that an operation makes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.largest = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self.largest = max(self.largest, tensor.untyped_storage().nbytes())
        return made


@pytest.mark.parametrize(("colors", "structure"), [(2, 4 * 2 * 16 * 16), (45, 4 * 45 * 16 * 16), (256, 0)])
def test_memory_does_not_grow_with_pixels_times_colors(
    colors: int, structure: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No tensor takes more than 32 bytes a pixel of a tile or a batch (four float64), or more than the structure."""
    monkeypatch.setattr(colorcnn, "_TILE_PIXELS", 5000)
    monkeypatch.setattr(colorcnn, "_SAMPLE", 1000)
    monkeypatch.setattr("models.networks.plan.chunk_size", lambda device: 10_000)
    monkeypatch.setattr(arg_max, "chunk_size", lambda device: 10_000)
    quantizer = make_quantizer(structure_cutoff=(32, 64))
    with _Allocations() as tiles:
        quantizer.quantize(make_pixels(300, 200), colors)
    with _Allocations() as batch:
        quantizer.quantize_batch(np.stack([make_pixels(16, 16, seed) for seed in range(10)]), colors)
    assert tiles.largest <= max(structure, 32 * 5000)
    assert batch.largest <= max(10 * structure, 32 * 10 * 16 * 16)


def test_above_the_structure_cutoff_no_network_runs() -> None:
    quantizer = make_quantizer(structure_cutoff=(32, 64))
    del quantizer.network.encoder, quantizer.network.decoder, quantizer.network.queries
    assert 32 < quantizer.quantize(make_pixels(30, 20), 64).colors <= 64
    assert 32 < quantizer.quantize_batch(make_pixels(16, 16)[np.newaxis], 64)[0].colors <= 64


@pytest.mark.parametrize("colors", [-1, 0, 1, 257])
def test_colors_out_of_range_are_rejected(colors: int) -> None:
    with pytest.raises(BadOption, match="2 to 256"):
        QUANTIZER.quantize(make_pixels(4, 4), colors)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_bfloat16_moves_no_more_than_a_few_pixels(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.stack([make_pixels(16, 16, seed) for seed in range(8)])
    quantizer = make_quantizer()
    quantizer.network.decoder.out.weight.data *= 30  # fresh weights give next to no structure
    quantizer = LearnedQuantizer(quantizer.network.to(device), torch.device(device))
    indices = []
    for has in (False, True):
        monkeypatch.setattr(colorcnn, "has_bfloat16", lambda device, has=has: has)
        indices.append(np.stack([quantized.indices for quantized in quantizer.quantize_batch(images, 4)]))
    assert 0 < np.mean(indices[0] != indices[1]) < 0.05


@pytest.mark.gpu
@pytest.mark.parametrize("colors", [2, 64])
def test_cuda_quantizes_as_the_cpu_does(colors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colorcnn, "has_bfloat16", lambda device: False)
    pixels = make_pixels(200, 300)
    device = torch.device("cuda")
    quantized = LearnedQuantizer(make_quantizer().network.to(device), device).quantize(pixels, colors)
    # Convolutions add in another order there, which may turn a tie.
    assert np.mean(quantized.render() != QUANTIZER.quantize(pixels, colors).render()) < 0.01
