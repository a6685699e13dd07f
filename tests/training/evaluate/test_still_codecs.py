"""training/evaluate/still_codecs.py."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from models.rgb import Pixels
from training.data.datasets import DatasetError
from training.evaluate import still_codecs


@pytest.fixture
def ramp() -> Pixels:
    """A smooth image of 64x48 pixels."""
    across, down = np.meshgrid(np.linspace(0, 255, 64), np.linspace(0, 255, 48))
    return np.stack([across, down, 255 - across], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("codec", still_codecs.CODECS)
def test_a_higher_quality_is_closer_and_larger(codec: str, ramp: Pixels) -> None:
    if codec == "jxl" and find_spec("pillow_jxl") is None:
        pytest.skip("needs pillow-jxl-plugin, which no extra installs")
    low, high = (still_codecs.encode(codec, ramp, quality) for quality in (5, 90))
    errors = [np.abs(still_codecs.decode(file).astype(int) - ramp).mean() for file in (low, high)]
    assert len(low) < len(high) and errors[1] < errors[0] < 40 and errors[1] < 3


def test_jpeg_xl_without_its_package_says_what_to_install(ramp: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(DatasetError, match="pip install pillow-jxl-plugin"):
        still_codecs.encode("jxl", ramp, 50)
