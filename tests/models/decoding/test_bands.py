"""Bands of rows join to the whole image."""

import numpy as np
import pytest
from PIL import Image

from models.decoding import bands
from models.decoding.decode import decode
from tests.models.image_files import encoded, picture


def test_bands_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_BAND_PIXELS", 30)  # two rows of 11 pixels; the last band of 7 rows has one

    np.testing.assert_array_equal(decode(encoded(Image.fromarray(picture()), "PNG")).pixels, picture())
