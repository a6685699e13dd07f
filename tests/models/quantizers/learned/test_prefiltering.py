"""models/quantizers/learned/prefiltering.py: the change of a photograph that a prefilter predicts."""

import numpy as np
import pytest

from models.quantizers.learned import prefiltering
from models.quantizers.learned.prefiltering import predict_change
from models.quantizers.learned.refined import photograph_mapping
from tests.models.quantizers.learned.test_descent import make_photo
from tests.models.small_networks import make_prefilter

NETWORK = make_prefilter()


def predict(height: int, width: int, scale: float = 1.0) -> np.ndarray:
    photo = make_photo(height, width)
    mapping = photograph_mapping(photo, 4, dither=True)
    return predict_change(NETWORK, photo, mapping, 4, scale=scale)


@pytest.mark.parametrize(("scale", "shape"), [(2.0, (20, 35)), (1.0, (40, 70)), (0.5, (40, 70)), (100.0, (1, 1))])
def test_the_change_has_the_scale_of_the_view_and_a_small_picture_its_own(scale: float, shape: tuple[int, int]) -> None:
    change = predict(40, 70, scale)
    assert change.shape == (*shape, 3)
    assert change.dtype == np.float32
    assert 0 < np.abs(change).max() <= 127.5


@pytest.mark.parametrize("size", [(50, 400), (400, 50)])
def test_a_long_picture_is_changed_in_parts_that_fit(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = predict(*size)
    monkeypatch.setattr(prefiltering, "_PART", 50 * 128)
    in_parts = predict(*size)
    assert in_parts.shape == whole.shape
    # The network sees further than the margin, but not much of what it sees there has an effect.
    assert np.abs(in_parts - whole).mean() < 0.05 * np.abs(whole).mean()


def test_equal_calls_give_equal_changes() -> None:
    assert np.array_equal(predict(40, 70), predict(40, 70))
