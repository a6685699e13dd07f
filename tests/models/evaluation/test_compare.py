"""A row describes its very file and the prediction for it."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.codecs import jpeg, png
from models.decoding.decode import decode
from models.errors import BadOption
from models.evaluation import metrics
from models.evaluation.compare import Row, Sample, Setting, compare, make_row, measure, measure_palette, summarize
from models.palette_image import PaletteImage
from models.prediction import Prediction
from models.rgb import Pixels, ViewGeometry, resize
from tests.models.image_files import picture

DARK, BRIGHT = Prediction("dark", 0, 0.75), Prediction("bright", 1, 0.75)
BLACK_AND_BEIGE = np.array([[0, 0, 0], [250, 240, 230]], dtype=np.uint8)


@dataclass(frozen=True)
class Threshold:
    """Makes pixels brighter than `level` beige and the rest black."""

    level: int = 128
    name: str = "threshold"

    def quantize(self, pixels: Pixels, colors: int) -> PaletteImage:
        if colors != 2:
            raise BadOption(f"colors must be 2, not {colors}")
        return PaletteImage((pixels.mean(axis=2) > self.level).astype(np.uint8), BLACK_AND_BEIGE)


@dataclass(frozen=True)
class Brightness:
    """Classifies images as dark or bright, and records the batches."""

    views = ViewGeometry.of(6, None, None)
    shown: list[Pixels] = field(default_factory=list)

    def predict_batch(self, images: Pixels) -> list[Prediction]:
        self.shown.append(images)
        return [BRIGHT if image.mean() > 128 else DARK for image in images]


def sample(pixels: Pixels | None = None, before: Prediction = DARK, truth: int | None = None) -> Sample:
    return Sample("a.png", picture(30, 20) if pixels is None else pixels, before, truth)


def some_row(**changes: object) -> Row:
    row, _ = compare(sample(), Setting("threshold", colors=2), Threshold(), Brightness())
    return replace(row, **changes)  # type: ignore[arg-type]


def test_a_row_describes_the_encoded_file() -> None:
    original, quantized = picture(30, 20), Threshold().quantize(picture(30, 20), 2)

    row, measured = compare(sample(), Setting("threshold", "a model", colors=2), Threshold(), Brightness())

    assert measured.file == png.encode(quantized)
    np.testing.assert_array_equal(measured.pixels, quantized.render())
    assert (row.image, row.method, row.model, row.colors, row.quality) == ("a.png", "threshold", "a model", 2, None)
    assert row.setting == Setting("threshold", "a model", colors=2)
    assert row.bytes == len(measured.file)
    assert row.bits_per_pixel == 8 * len(measured.file) / 600
    assert row.payload_bits_per_pixel == 8 * (len(measured.file) - 69) / 600
    assert row.mse == metrics.mean_squared_error(original, quantized.render()) > 0
    assert (row.psnr, row.ssim) == (metrics.psnr(row.mse), metrics.ssim(original, quantized.render()))
    assert row.colors_used == 2


def test_the_classifier_gets_the_image_that_was_read_back() -> None:
    classifier = Brightness()

    row, measured = compare(sample(), Setting("threshold", colors=2), Threshold(), classifier)

    (shown,) = classifier.shown
    np.testing.assert_array_equal(shown, resize(Threshold().quantize(picture(30, 20), 2).render(), 6)[np.newaxis])
    np.testing.assert_array_equal(measured.view, shown[0])
    assert (row.label, row.probability) == ("dark", 0.75)


@pytest.mark.parametrize(
    ("level", "before", "truth", "kept", "right"),
    [
        (0, BRIGHT, 1, True, True),
        (0, BRIGHT, 0, True, False),
        (0, DARK, 1, False, True),
        (0, DARK, 0, False, False),
        (254, DARK, None, True, None),
        (254, BRIGHT, None, False, None),
    ],
)
def test_kept_compares_labels_and_right_compares_with_the_truth(
    level: int, before: Prediction, truth: int | None, kept: bool, right: bool | None
) -> None:
    given = sample(before=before, truth=truth)

    row, _ = compare(given, Setting("threshold", colors=2), Threshold(level), Brightness())

    assert (row.kept, row.right) == (kept, right)


def test_an_exact_image_has_no_psnr_and_a_small_one_no_ssim() -> None:
    exact, _ = compare(sample(BLACK_AND_BEIGE[np.newaxis]), Setting("threshold", colors=2), Threshold(), Brightness())

    assert (exact.mse, exact.psnr, exact.ssim) == (0, None, None)


def test_the_time_covers_the_quantizer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([5.0, 5.25])
    monkeypatch.setattr("models.evaluation.compare.time", SimpleNamespace(perf_counter=lambda: next(ticks)))

    row, _ = compare(sample(), Setting("threshold", colors=2), Threshold(), Brightness())

    assert row.milliseconds == 250


def test_an_error_of_the_quantizer_is_passed_on() -> None:
    with pytest.raises(BadOption, match="colors must be 2"):
        compare(sample(), Setting("threshold", colors=3), Threshold(), Brightness())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"quality": 0}, "quality must be 1 to 100, not 0"),
        ({"qp": 52}, "qp must be 0 to 51, not 52"),
        ({"fidelity": 1.5}, "fidelity must be 0 to 1, not 1.5"),
    ],
)
def test_a_setting_out_of_range_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Setting("some codec", **values)


def test_an_image_has_the_same_row_in_a_batch() -> None:
    setting, given = Setting("threshold", colors=2), sample(truth=1)
    alone, _ = compare(given, setting, Threshold(), Brightness())

    quantized = Threshold().quantize(given.pixels, 2)
    measured = measure_palette(
        given.pixels, quantized, view=ViewGeometry.of(6, None, None), milliseconds=alone.milliseconds
    )
    (after, _) = Brightness().predict_batch(np.stack([measured.view, measured.view]))

    assert make_row(given, setting, measured, after) == alone


def test_a_classifier_of_the_central_square_sees_that_of_the_file() -> None:
    square = ViewGeometry.of(6, 0.5, None)
    measured = measure_palette(picture(30, 20), Threshold().quantize(picture(30, 20), 2), view=square)
    assert np.array_equal(measured.view, square.view(measured.pixels))
    assert not np.array_equal(measured.view, resize(measured.pixels, 6))


def test_the_file_of_a_codec_is_measured_as_it_is_read_back() -> None:
    original = picture(30, 20)
    file = jpeg.encode(original, 50)

    measured = measure(original, file, jpeg.fixed_bytes(file), view=ViewGeometry.of(6, None, None), milliseconds=3)
    row = make_row(sample(), Setting("jpeg", quality=50), measured, BRIGHT)

    assert (row.method, row.colors, row.quality, row.bytes, row.milliseconds) == ("jpeg", None, 50, len(file), 3)
    assert row.payload_bits_per_pixel == 8 * (len(file) - jpeg.fixed_bytes(file)) / 600
    assert row.mse == metrics.mean_squared_error(original, decode(file).pixels) > 0
    assert row.colors_used == len(np.unique(decode(file).pixels.reshape(-1, 3), axis=0))


def test_settings_are_summarized_apart_in_the_order_of_their_first_rows() -> None:
    settings = [
        Setting("wu", colors=4),
        Setting("jpeg", quality=9),
        Setting("wu", colors=2),
        Setting("colorcnn", "a", 4),
        Setting("colorcnn", "b", 4),
    ]
    rows = [
        some_row(method=s.method, model=s.model, colors=s.colors, quality=s.quality) for s in settings + settings[:2]
    ]

    summaries = summarize(row for row in rows)

    assert [summary.setting for summary in summaries] == settings
    assert [summary.images for summary in summaries] == [2, 2, 1, 1, 1]


def test_a_summary_holds_means() -> None:
    first = some_row(kept=True, bytes=100, bits_per_pixel=1.0, payload_bits_per_pixel=0.5)
    second = replace(first, kept=False, bytes=103, bits_per_pixel=4.0, payload_bits_per_pixel=2.5)
    rows = [replace(first, colors_used=2, milliseconds=1.0), replace(second, colors_used=1, milliseconds=4.0)]

    (summary,) = summarize(rows)

    assert (summary.images, summary.kept, summary.bytes) == (2, 0.5, 101.5)
    assert (summary.bits_per_pixel, summary.payload_bits_per_pixel) == (2.5, 1.5)
    assert (summary.colors_used, summary.milliseconds) == (1.5, 2.5)


def test_psnr_of_a_summary_is_that_of_the_mean_error() -> None:
    exact, worst = some_row(mse=0.0, psnr=None), some_row(mse=2 * 650.25, psnr=metrics.psnr(2 * 650.25))

    assert [summarize(rows)[0].psnr for rows in ([exact, worst], [exact])] == [20, None]


@pytest.mark.parametrize(
    ("values", "mean"), [([None, None], None), ([None, True, False], 0.5), ([False], 0), ([True, None], 1)]
)
def test_means_skip_missing_values(values: list[bool | None], mean: float | None) -> None:
    (summary,) = summarize([some_row(right=value, ssim=value) for value in values])

    assert (summary.top1, summary.ssim) == (mean, mean)


def test_no_rows_have_no_summary() -> None:
    assert summarize([]) == []
