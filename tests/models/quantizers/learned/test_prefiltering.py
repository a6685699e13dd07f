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
def test_a_long_picture_is_changed_in_the_middle(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefiltering, "_MOST_PIXELS", 50 * 128)
    change = np.abs(predict(*size)).max(axis=(2, size.index(50)))
    assert change.shape == (400,)
    assert not change[:136].any() and change[136:264].all() and not change[264:].any()


def test_equal_calls_give_equal_changes() -> None:
    assert np.array_equal(predict(40, 70), predict(40, 70))
