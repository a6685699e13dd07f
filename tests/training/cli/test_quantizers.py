"""training/cli/quantizers.py."""

import numpy as np
import pytest
import torch

from models.palettes import parse_palette
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned.refined import RefinedQuantizer
from models.recognizer import load_recognizer
from models.zoo.registry import Registry
from tests.models.small_networks import make_prefilter
from tests.training.workshop import Workshop
from training.cli.quantizers import METHODS, METHODS_WITH_PALETTE, REFINED_FLAT, make_quantizer


@pytest.mark.parametrize("method", METHODS)
def test_every_name_makes_the_quantizer_of_that_name(workshop: Workshop, method: str) -> None:
    recognizer = load_recognizer(Registry.open(workshop.models), "stripes", torch.device("cpu"))
    name = "refined" if method == REFINED_FLAT else method
    assert make_quantizer(method, [recognizer], prefilter=make_prefilter()).name == name


@pytest.mark.parametrize("method", METHODS_WITH_PALETTE)
def test_a_palette_stays_as_it_is(workshop: Workshop, method: str) -> None:
    recognizer = load_recognizer(Registry.open(workshop.models), "stripes", torch.device("cpu"))
    palette = parse_palette("spectra6")
    quantizer = make_quantizer(method, [recognizer], prefilter=make_prefilter(), palette=palette)
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert quantizer.name == ("refined" if method == REFINED_FLAT else method)
    assert np.array_equal(quantizer.quantize(noise, 6).palette, palette)
    assert np.array_equal(quantizer.quantize(palette[noise[..., 0] % 6], 6).indices, noise[..., 0] % 6)


def test_some_methods_need_a_palette_and_some_support_none() -> None:
    with pytest.raises(ValueError, match="nearest needs a palette"):
        make_quantizer("nearest", [])
    with pytest.raises(ValueError, match="floyd_steinberg needs a palette"):
        make_quantizer("floyd_steinberg", [])
    with pytest.raises(ValueError, match="kmeans supports no palette"):
        make_quantizer("kmeans", [], palette=parse_palette("bw"))


def test_refinement_in_one_pass_needs_a_prefilter() -> None:
    with pytest.raises(ValueError, match="refined_one_pass needs a prefilter"):
        make_quantizer("refined_one_pass", [])


def test_a_classical_quantizer_needs_no_recognizer_and_a_refined_one_follows_all(workshop: Workshop) -> None:
    recognizer = load_recognizer(Registry.open(workshop.models), "stripes", torch.device("cpu"))
    assert make_quantizer("kmeans", []) is CLASSICAL["kmeans"]
    refined = make_quantizer("refined", [recognizer, recognizer], 0.25)
    assert isinstance(refined, RefinedQuantizer)
    assert refined.recognizers == (recognizer, recognizer) and refined.fidelity == 0.25 and not refined.quick
    assert refined.dither is None
    flat = make_quantizer(REFINED_FLAT, [recognizer])
    assert isinstance(flat, RefinedQuantizer) and flat.dither is False
