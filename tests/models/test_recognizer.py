"""models/recognizer.py: predictions, batches and activation maps of images of any size."""

import numpy as np
import pytest
import torch

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
