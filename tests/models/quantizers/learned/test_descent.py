"""models/quantizers/learned/descent.py: a change of the picture, after which recognizers keep their answers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from models.networks.classifiers import ClassifierConfig, build_classifier
from models.palette_image import PaletteImage
from models.pauses import at_each_pause
from models.quantizers.base import Backdrop
from models.quantizers.classical.halftone import stretched_palette
from models.quantizers.learned.descent import Steps, changed, descend
from models.quantizers.learned.mapping import Diffusion, Mapping, NearestEntry
from models.quantizers.learned.random_views import Region
from models.recognizer import Recognizer, load_recognizer
from models.zoo.registry import Registry

CAT = Path(__file__).parents[3] / "photos" / "cat.jpg"
STEPS = Steps(count=12, rate=2.0, momentum=0.9, error_weight=90)


def make_recognizer(seed: int) -> Recognizer:
    torch.manual_seed(seed)
    network = build_classifier(ClassifierConfig(architecture="resnet9", classes=4, width=4, size=16)).eval()
    network.requires_grad_(False)
    return Recognizer(network, ("cat", "dog", "frog", "ship"), torch.device("cpu"), crop=0.875)


RECOGNIZERS = (make_recognizer(0), make_recognizer(1))


def make_photo(height: int, width: int) -> NDArray[np.uint8]:
    noise = torch.from_numpy(np.random.default_rng(0).random((1, 3, 6, 6)))
    smooth = F.interpolate(noise, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)
    return np.asarray((255 * smooth[0].permute(1, 2, 0)).round().byte().numpy())


@pytest.mark.parametrize("kind", [Diffusion, NearestEntry])
def test_the_answer_for_the_original_becomes_more_probable(kind: type[Diffusion | NearestEntry]) -> None:
    recognizer = load_recognizer(Registry.open(), "cifar10-resnet9", torch.device("cpu"))
    with Image.open(CAT) as cat:
        photo = np.asarray(cat.convert("RGB").resize((64, 64)))
    mapping: Mapping = kind(stretched_palette(photo, 2, 1.5))
    change = descend(photo, mapping, (recognizer,), STEPS, 2)
    label = recognizer.predict(photo)[0].label

    def doubt(factor: float) -> float:
        shown = mapping.map(changed(photo, factor * change)).render()
        return 1 - next(found.probability for found in recognizer.predict(shown, 10) if found.label == label)

    assert doubt(1) < 0.5 * doubt(0) < 0.5 * doubt(-1)


class Counting(Diffusion):
    """Mapping that counts the pictures that it maps, one in each step."""

    count = 0

    def map(self, pixels: NDArray[np.uint8]) -> PaletteImage:
        type(self).count += 1
        return super().map(pixels)


def test_an_ended_descent_takes_no_further_step() -> None:
    photo = make_photo(20, 30)

    def end() -> None:
        if Counting.count == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError), at_each_pause(end):
        descend(photo, Counting(stretched_palette(photo, 4, 1.5)), RECOGNIZERS, STEPS, 4)

    assert Counting.count == 3


def test_a_descent_gives_the_same_change_twice_and_none_without_steps() -> None:
    photo = make_photo(20, 30)
    mapping = Diffusion(stretched_palette(photo, 4, 1.5))
    first, second = (descend(photo, mapping, RECOGNIZERS, STEPS, 4) for _ in range(2))
    assert first.shape == (5, 8, 3)
    assert np.array_equal(first, second)
    assert first.any()
    assert not descend(photo, mapping, RECOGNIZERS, Steps(0, 1.0, 0.0, 90), 4).any()


def test_an_inference_mode_of_the_caller_does_not_matter() -> None:
    photo = make_photo(20, 20)
    mapping = Diffusion(stretched_palette(photo, 4, 1.5))
    with torch.inference_mode():
        inside = descend(photo, mapping, RECOGNIZERS, STEPS, 2)
    assert np.array_equal(inside, descend(photo, mapping, RECOGNIZERS, STEPS, 2))


def test_a_descent_for_several_recognizers_is_another_than_for_each_alone() -> None:
    photo = make_photo(20, 20)
    mapping = Diffusion(stretched_palette(photo, 4, 1.5))
    both, *alone = (
        descend(photo, mapping, followed, STEPS, 2) for followed in (RECOGNIZERS, RECOGNIZERS[:1], RECOGNIZERS[1:])
    )
    assert not any(np.array_equal(both, each) for each in alone)


def test_an_odd_number_of_passes_completes_the_last_step() -> None:
    photo = make_photo(20, 20)
    mapping = Diffusion(stretched_palette(photo, 4, 1.5))
    three, four, five = (descend(photo, mapping, RECOGNIZERS, Steps(count, 2.0, 0.9, 90), 2) for count in (3, 4, 5))
    assert np.array_equal(three, four)
    assert not np.array_equal(four, five)


def test_the_threads_of_the_caller_stay_as_they_are() -> None:
    photo, before = make_photo(20, 20), torch.get_num_threads()
    descend(photo, Diffusion(stretched_palette(photo, 2, 1.5)), RECOGNIZERS, STEPS, 2)
    assert torch.get_num_threads() == before


def test_the_weights_of_the_recognizers_get_no_gradient() -> None:
    photo = make_photo(20, 20)
    descend(photo, Diffusion(stretched_palette(photo, 2, 1.5)), RECOGNIZERS, STEPS, 2)
    for recognizer in RECOGNIZERS:
        assert isinstance(recognizer.network, torch.nn.Module)
        assert all(weight.grad is None for weight in recognizer.network.parameters())


def test_a_change_is_interpolated_added_and_clipped() -> None:
    change = np.zeros((2, 2, 3), np.float32)
    change[:, 1] = 40
    change[..., 2] = -300
    result = changed(np.full((4, 8, 3), 100, np.uint8), change)
    assert result[0, :, 0].tolist() == [100, 100, 105, 115, 125, 135, 140, 140]
    assert (result[..., 2] == 0).all()


@pytest.mark.parametrize("part", [Region(0, 0, 50, 31), Region(7, 3, 20, 11), Region(49, 30, 1, 1)])
def test_a_part_of_a_change_is_that_of_the_whole(part: Region) -> None:
    change = np.random.default_rng(0).normal(0, 30, (7, 9, 3)).astype(np.float32)
    photo = make_photo(50, 31)
    alone, whole = changed(photo, change, part), part.of(changed(photo, change))
    assert alone.shape == (part.height, part.width, 3)
    assert np.abs(whole.astype(int) - alone).max() <= 1  # rounding of the box


def test_bands_of_a_change_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    change = np.random.default_rng(0).normal(0, 30, (7, 9, 3)).astype(np.float32)
    photo = make_photo(50, 31)
    whole = changed(photo, change)
    monkeypatch.setattr("models.quantizers.learned.descent._BAND", 31 * 3)
    banded = changed(photo, change)
    assert np.abs(whole.astype(int) - banded).max() <= 1  # rounding of the box
    assert (whole != banded).mean() < 0.01


@pytest.mark.parametrize("kind", [Diffusion, NearestEntry])
def test_transparent_parts_do_not_change(kind: type[Diffusion | NearestEntry]) -> None:
    photo = make_photo(20, 30)
    alpha = np.zeros((20, 30), np.uint8)
    alpha[:, 12:] = 255
    mapping: Mapping = kind(stretched_palette(photo, 4, 1.5))
    change = descend(photo, mapping, RECOGNIZERS, STEPS, 4, Backdrop(alpha, (255, 255, 255)))
    assert not change[:, :3].any()
    assert change[:, 3:].any()


def test_an_opaque_backdrop_changes_nothing() -> None:
    photo = make_photo(20, 30)
    mapping = Diffusion(stretched_palette(photo, 4, 1.5))
    opaque = Backdrop(np.full((20, 30), 255, np.uint8), (0, 255, 0))
    assert np.array_equal(
        descend(photo, mapping, RECOGNIZERS, STEPS, 4), descend(photo, mapping, RECOGNIZERS, STEPS, 4, opaque)
    )


def test_the_answer_for_the_picture_over_its_background_becomes_more_probable() -> None:
    recognizer = load_recognizer(Registry.open(), "cifar10-resnet9", torch.device("cpu"))
    with Image.open(CAT) as cat:
        photo = np.asarray(cat.convert("RGB").resize((64, 64)))
    y, x = np.mgrid[0:64, 0:64]
    backdrop = Backdrop(np.where(np.hypot(x - 32, y - 32) < 28, 255, 0).astype(np.uint8), (0, 0, 255))
    mapping = NearestEntry(stretched_palette(photo, 2, 1.5))
    change = descend(photo, mapping, (recognizer,), STEPS, 2, backdrop)
    label = recognizer.predict(backdrop.behind(photo))[0].label

    def doubt(factor: float) -> float:
        shown = backdrop.behind(mapping.map(changed(photo, factor * change)).render())
        return 1 - next(found.probability for found in recognizer.predict(shown, 10) if found.label == label)

    assert doubt(1) < 0.5 * doubt(0)
