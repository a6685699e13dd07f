"""Work for the device: which requests share a batch, and the size that they count with."""

from dataclasses import replace

import numpy as np
import pytest

from service.inference.selection import Selection
from service.inference.work import LANES, WORK_NAMES, ActivationMap, Lane, Pace, Predict, Quantize, QuantizeAndPredict
from tests.service.fakes import NATIVE_SIZE, FakeEngine
from tests.service.images import ramp

VIEW = NATIVE_SIZE
NATIVE = ramp(NATIVE_SIZE, NATIVE_SIZE)
SELECTION = Selection("colorcnn", "gray-steps", "brightness")
OTHER = Selection("colorcnn", "gray-steps", "brightness", fidelity=0.5)


def test_images_of_any_size_share_a_batch_with_equal_options() -> None:
    key = Quantize(NATIVE, 4, SELECTION, VIEW).key

    assert key == Quantize(NATIVE // 2, 4, SELECTION, VIEW).key == Quantize(ramp(9, 5), 4, SELECTION, VIEW).key
    assert key != Quantize(NATIVE, 2, SELECTION, VIEW).key
    assert key != Quantize(NATIVE, 4, OTHER, VIEW).key
    assert key != QuantizeAndPredict(NATIVE, 4, SELECTION, VIEW).key
    assert key != Quantize(NATIVE, 4, SELECTION, None).key


def test_other_images_and_activation_maps_run_alone() -> None:
    for work, again in (
        (Quantize(NATIVE, 4, SELECTION, None), Quantize(NATIVE, 4, SELECTION, None)),
        (ActivationMap(NATIVE, 0, "brightness"), ActivationMap(NATIVE, 0, "brightness")),
    ):
        assert work.key == work.key != again.key


def test_predictions_share_a_batch_for_one_classifier_and_number_of_classes() -> None:
    key = Predict([NATIVE], 1, "brightness").key

    assert key == Predict([NATIVE, NATIVE], 1, "brightness").key
    assert key != Predict([NATIVE], 2, "brightness").key
    assert key != Predict([NATIVE], 1, "second").key


@pytest.mark.parametrize("kind", [Quantize, QuantizeAndPredict])
def test_a_batch_counts_the_pixels_of_views_and_a_part_of_those_that_are_indexed_later(
    kind: type[Quantize] | type[QuantizeAndPredict],
) -> None:
    sizes = [kind(ramp(*size), 2, SELECTION, VIEW).size for size in ((5, 3), (32, 32), (64, 32), (1024, 1024))]

    assert sizes == [1024, 1024, 1024 + 32, 1024 + (1023 << 10) // 32]


def test_the_size_is_the_number_of_pixels() -> None:
    assert Quantize(ramp(5, 3), 2, SELECTION, None).size == 15
    assert Predict([ramp(5, 3), ramp(2, 2)], 1, "brightness").size == 19


@pytest.mark.parametrize(
    ("method", "pace"),
    [
        ("colorcnn", "passes"),
        ("colorcnn_one_pass", "passes"),
        ("colorcnn_refined", "many steps"),
        ("refined_fast", "few steps"),
        ("refined_one_pass", "few steps"),
        ("refined", "many steps"),
    ],
)
def test_images_wait_behind_others_of_their_scale_and_pace(method: str, pace: Pace) -> None:
    selection = replace(SELECTION, method=method)
    large = np.broadcast_to(NATIVE[:1, :1], (2900, 2900, 3))

    assert Quantize(NATIVE, 2, selection, None).lane == Lane(pace, "small")
    assert Quantize(large, 2, selection, None).lane == Lane(pace, "large")
    assert QuantizeAndPredict(NATIVE, 2, selection, VIEW).lane == Lane(pace, "small")
    assert Predict([NATIVE] * 2, 1, "brightness").lane == Lane("passes", "small")


def test_there_is_a_lane_for_each_scale_and_pace() -> None:
    assert len(set(LANES)) == len(LANES) == 9


def test_a_batch_gives_each_request_its_own_result() -> None:
    dark, light = np.zeros((9, 5, 3), np.uint8), np.full_like(NATIVE, 255)
    batch = [QuantizeAndPredict(dark, 2, SELECTION, VIEW), QuantizeAndPredict(light, 2, SELECTION, VIEW)]

    results = QuantizeAndPredict.run(FakeEngine(), batch)

    assert [image.render().max() for image, _ in results] == [0, 255]
    assert [[best.label for (best,) in rankings] for _, rankings in results] == [["dark"] * 2, ["light"] * 2]


def test_every_kind_of_work_has_a_name_in_the_metrics() -> None:
    assert {work.name for work in (Quantize, QuantizeAndPredict, Predict, ActivationMap)} == set(WORK_NAMES)
