"""models/recognizer.py: predictions, batches and activation maps of images of any size."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from models.errors import NotFinite
from models.networks.classifiers import ClassifierConfig, build_classifier
from models.recognizer import Recognizer

CLASSES = ("cat", "dog", "frog", "ship")


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    torch.manual_seed(0)
    network = build_classifier(ClassifierConfig(architecture="resnet9", classes=4, width=4, size=16)).eval()
    return Recognizer(network, CLASSES, torch.device("cpu"))


def make_pixels(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_predictions_come_best_first_with_their_labels(recognizer: Recognizer) -> None:
    predictions = recognizer.predict(make_pixels(40, 70), top_k=9)
    assert sorted(p.label for p in predictions) == sorted(CLASSES)
    assert all(CLASSES[p.index] == p.label for p in predictions)
    probabilities = [p.probability for p in predictions]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert recognizer.predict(make_pixels(40, 70), top_k=1) == predictions[:1]


def test_a_crop_is_the_scaled_center_of_the_image(recognizer: Recognizer) -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[10:30, 30:50] = make_pixels(20, 20)
    cropped = replace(recognizer, crop=0.5)
    assert np.array_equal(cropped.view(pixels), cropped.view(pixels[:, 20:60]))
    alone = np.asarray(Image.fromarray(pixels[10:30, 30:50]).resize((16, 16), Image.Resampling.BICUBIC))
    assert np.abs(cropped.view(pixels).astype(int) - alone)[2:-2, 2:-2].max() <= 1  # the border differs
    assert cropped.predict(pixels) != recognizer.predict(pixels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (300, 2), (16, 16)])
def test_a_crop_of_any_shape_fills_the_view(recognizer: Recognizer, shape: tuple[int, int]) -> None:
    assert (replace(recognizer, crop=0.875).view(np.full((*shape, 3), 7, np.uint8)) == 7).all()


def test_the_map_of_a_view_is_that_of_its_image(recognizer: Recognizer) -> None:
    """A view is not cropped once more."""
    cropped, pixels = replace(recognizer, crop=0.5), make_pixels(40, 40)
    view = cropped.view(pixels)
    assert view.shape == (16, 16, 3)
    assert np.array_equal(cropped.map_of_view(view, 1), cropped.activation_map(pixels, 1))


def test_a_batch_is_classified_as_its_images_are(recognizer: Recognizer) -> None:
    images = np.stack([make_pixels(16, 16), 255 - make_pixels(16, 16)])
    predictions = recognizer.predict_batch(images)
    alone = [recognizer.predict(image)[0] for image in images]
    assert [(one.label, one.index) for one in predictions] == [(one.label, one.index) for one in alone]
    assert [one.probability for one in predictions] == pytest.approx([one.probability for one in alone])
    ranked = recognizer.rank_batch(images, 3)
    assert [[one.index for one in ranking] for ranking in ranked] == [
        [one.index for one in recognizer.predict(image, 3)] for image in images
    ]


class Counting:
    """A network that counts the images that it gets."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.network, self.size, self.supports_maps = recognizer.network, recognizer.size, False
        self.images: list[int] = []

    def __call__(self, images: Tensor) -> Tensor:
        self.images.append(len(images))
        return self.network(images)

    def class_maps(self, images: Tensor, classes: Tensor) -> Tensor:
        raise ValueError


def test_logits_of_a_view_are_computed_once(recognizer: Recognizer) -> None:
    network = Counting(recognizer)
    counted = replace(recognizer, network=network)
    views = np.stack([make_pixels(16, 16), 255 - make_pixels(16, 16)])
    logits = counted.logits(views[1])
    assert logits.shape == (1, len(CLASSES))
    assert torch.equal(counted.logits(views[1]), logits)
    ranked = counted.rank_batch(views, 4)
    assert network.images == [1, 1]  # the first view is new
    for ranking, expected in zip(ranked, recognizer.rank_batch(views, 4), strict=True):
        assert [one.index for one in ranking] == [one.index for one in expected]
        assert [one.probability for one in ranking] == pytest.approx([one.probability for one in expected])
    assert counted.rank_batch(views[1:], 1)[0] == ranked[1][:1]
    assert network.images == [1, 1]


def test_only_the_last_logits_are_kept(recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.recognizer._RECENT", 2)
    network = Counting(recognizer)
    counted = replace(recognizer, network=network)
    for value in (1, 2, 1, 3, 1):
        counted.logits(np.full((16, 16, 3), value, np.uint8))
    assert len(network.images) == 4  # the third value displaced the first


def test_probabilities_that_are_not_finite_are_rejected() -> None:
    network = build_classifier(ClassifierConfig(architecture="resnet9", classes=4, width=4, size=16)).eval()
    network.head.weight.data[1] = torch.nan
    with pytest.raises(NotFinite, match="classifier"):
        Recognizer(network, CLASSES, torch.device("cpu")).predict(make_pixels(40, 70))


def test_an_activation_map_spans_the_image_and_needs_a_class_that_exists(recognizer: Recognizer) -> None:
    heat = recognizer.activation_map(make_pixels(50, 30), 2)
    assert heat.dtype == np.float32 and heat.shape == (2, 2)
    assert (heat.min(), heat.max()) == (0, 1)
    with pytest.raises(ValueError, match="from 0 to 3"):
        recognizer.activation_map(make_pixels(50, 30), 4)
