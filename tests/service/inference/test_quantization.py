"""One decoded image and its options: palettes, scales, alpha, recognition and the format of the file."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI

from models.codecs import packed, png
from models.decoding.decode import decode
from models.palette_image import PaletteImage
from models.prediction import Prediction
from service.errors import DoesNotFit
from service.inference.quantization import Attempted, Quantized, Recognition, _recognition, keeps_alpha
from service.inference.selection import Selection
from service.runtime.timing import Timings
from service.schemas.media_types import FileFormat
from service.schemas.options import QuantizeOptions
from service.schemas.upload import UploadedFile
from tests.service.clients import ready
from tests.service.fakes import NATIVE_SIZE, FakeEngine
from tests.service.images import DRAWING, PHOTOGRAPH, encoded, opened, ramp

pytestmark = pytest.mark.anyio

SEEN = Prediction("dark", 0, 0.8)
IMAGE = PaletteImage(np.zeros((3, 5), np.uint8), np.full((1, 3), 9, np.uint8))


async def quantized(app: FastAPI, data: bytes, *, format: FileFormat = "png", **options: Any) -> Quantized:
    async with ready(app):
        result: Quantized = await app.state.service.pipeline.quantize(
            UploadedFile(data, "a.png"), QuantizeOptions(**options), format
        )
    return result


def clear_corner(alpha: int = 0) -> bytes:
    """A ramp of 40 x 24 pixels with a corner of 10 x 10 that has less alpha."""
    layers = np.dstack([ramp(), np.full((24, 40), 255, np.uint8)])
    layers[:10, :10, 3] = alpha
    return encoded(layers)


@pytest.mark.parametrize(
    ("after", "kept", "share"),
    [
        ((Prediction("dark", 0, 0.6), Prediction("light", 1, 0.4)), True, 0.75),
        ((Prediction("light", 1, 0.9), Prediction("dark", 0, 0.1)), False, 0.125),
        ((Prediction("light", 1, 0.9),), False, 0.0),
    ],
)
def test_the_share_is_that_of_the_probability_before(after: tuple[Prediction, ...], kept: bool, share: float) -> None:
    found = _recognition("brightness", (SEEN, Prediction("light", 1, 0.2)), after)

    assert (found.model, found.before, found.after) == ("brightness", SEEN, after[0])
    assert found.kept is kept and found.share == pytest.approx(share)


def test_a_probability_of_zero_has_no_share() -> None:
    assert _recognition("x", (Prediction("dark", 0, 0.0),), (Prediction("dark", 0, 0.5),)).share == 0


def test_an_attempt_without_a_classifier_keeps_nothing() -> None:
    seen = Recognition("brightness", SEEN, SEEN, 0.7)
    other = Recognition("brightness", SEEN, Prediction("light", 1, 0.9), 0.7)

    found = [Attempted(IMAGE, b"12345", each) for each in (None, seen, other)]
    assert [(each.size, each.kept, each.share) for each in found] == [(5, False, 0.0), (5, True, 0.7), (5, False, 0.7)]


@pytest.mark.parametrize(("upload", "is_larger"), [(4, True), (5, True), (6, False)])
def test_a_file_of_the_size_of_the_upload_is_no_smaller(upload: int, is_larger: bool) -> None:
    best = Attempted(IMAGE, b"12345", None)
    result = Quantized(Selection("octree", None, "x"), best, "png", "", upload, None, (), Timings(0, 0, 0, 0), {})

    assert (result.is_larger, result.bits_per_pixel) == (is_larger, 40 / 15)
    assert (result.image, result.file, result.recognition) == (IMAGE, b"12345", None)


@pytest.mark.parametrize(
    ("alpha", "format", "kept"),
    [
        ("keep", "png", True),
        ("keep", "webp", True),
        ("keep", "packed", True),
        ("keep", "raw", False),
        ("flatten", "png", False),
    ],
)
def test_packed_indices_keep_no_alpha(alpha: str, format: FileFormat, kept: bool) -> None:
    assert keeps_alpha(QuantizeOptions.model_validate({"alpha": alpha}), format) is kept


async def test_without_goals_nothing_is_met(app: FastAPI) -> None:
    result = await quantized(app, DRAWING, colors=3)

    assert (result.goals_met, result.upload_name, result.upload_bytes) == (None, "a.png", len(DRAWING))
    assert (result.selection.method, result.image.colors, result.notes) == ("colorcnn", 3, ())
    assert result.recognition is not None and result.recognition.model == "brightness"


async def test_an_image_of_the_native_size_is_recognized_beside_its_quantization(
    app: FastAPI, engine: FakeEngine
) -> None:
    result = await quantized(app, encoded(ramp(NATIVE_SIZE, NATIVE_SIZE)), colors=3)

    assert engine.batches == [(1, 3)]
    assert result.recognition is not None and result.recognition.before.label in ("dark", "light")


@pytest.mark.parametrize("format", ["png", "webp", "raw", "packed"])
async def test_the_file_has_its_format_and_the_order_of_the_image(app: FastAPI, format: FileFormat) -> None:
    result = await quantized(app, DRAWING, colors=5, format=format)

    if format == "raw":
        assert len(result.file) == 40 * 24 // 2  # 4 bits a pixel
        return
    if format == "packed":
        assert packed.decode(result.file, max_pixels=40 * 24) == result.image == packed.ordered(result.image)
        return
    shown = opened(result.file)
    assert shown.format == format.upper()
    assert np.array_equal(np.asarray(shown.convert("RGB")), result.image.render())
    if format == "png":
        assert png.ordered(result.image, effort="default") == result.image


@pytest.mark.parametrize("format", ["png", "webp", "packed"])
async def test_a_palette_stays_in_its_order(app: FastAPI, format: FileFormat) -> None:
    colors = ((255, 255, 255), (0, 0, 0), (255, 0, 0))
    result = await quantized(app, DRAWING, palette="#fff,#000,#f00", method="nearest", format=format)

    assert result.image.palette.tolist() == [list(color) for color in colors]


@pytest.mark.parametrize(
    ("options", "size", "note"),
    [
        ({"scale": 1}, (40, 24), ()),
        ({"scale": 0.5}, (20, 12), ()),
        ({"scale": 0.01}, (1, 1), ()),
        ({"max_side": 40}, (40, 24), ()),
        ({"max_side": 39}, (39, 23), ("scaled from 40x24",)),
        ({"max_side": 1}, (1, 1), ("scaled from 40x24",)),
    ],
)
async def test_sides_are_scaled_and_have_a_pixel_at_least(
    app: FastAPI, options: Mapping[str, Any], size: tuple[int, int], note: tuple[str, ...]
) -> None:
    result = await quantized(app, DRAWING, method="octree", **options)

    assert ((result.image.width, result.image.height), result.notes) == (size, note)


@pytest.mark.parametrize(
    ("options", "note", "clear"),
    [
        ({"method": "octree", "colors": 5}, "alpha kept; alpha composited over #ffffff to be classified", True),
        ({"method": "octree", "colors": 2}, "alpha composited over #ffffff: too few entries to keep it", False),
        ({"method": "octree", "colors": 5, "background": "#102030"}, "over #102030 to be classified", True),
        ({"method": "nearest", "palette": "#000,#fff"}, "alpha kept;", True),
    ],
)
async def test_alpha_is_kept_where_there_are_entries(
    app: FastAPI, options: Mapping[str, Any], note: str, clear: bool
) -> None:
    result = await quantized(app, clear_corner(), **options)

    assert len(result.notes) == 1 and note in result.notes[0]
    assert (0 in result.image.opacity()) is clear
    assert result.recognition is not None


async def test_a_refined_method_gets_what_is_seen_of_the_image(app: FastAPI, engine: FakeEngine) -> None:
    layers = np.dstack([ramp(90, 65), np.full((65, 90), 255, np.uint8)])
    layers[:30, :, 3] = 0
    await quantized(app, encoded(layers), colors=5, background="#010203", recognize=False)
    await quantized(app, PHOTOGRAPH, colors=5, recognize=False)

    seen, opaque = engine.quantized
    assert seen.recognizers and seen.backdrop is not None and opaque.backdrop is None
    assert seen.backdrop.background == (1, 2, 3)


async def test_dither_is_left_out_where_only_flat_areas_fit(app: FastAPI, engine: FakeEngine) -> None:
    free = await quantized(app, PHOTOGRAPH, colors=16)
    engine.quantized.clear()
    result = await quantized(app, PHOTOGRAPH, colors=16, max_bytes=free.best.size - 1)

    assert {selection.dither for selection in engine.quantized} == {None, False}
    assert result.goals_met is True and result.best.size < free.best.size
    engine.quantized.clear()
    await quantized(app, PHOTOGRAPH, colors=16, max_bytes=free.best.size - 1, method="refined", dither=True)
    assert {selection.dither for selection in engine.quantized} == {True}


async def test_an_index_map_is_smoothed_where_two_colors_do_not_fit(app: FastAPI) -> None:
    noise = encoded(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    plain = await quantized(app, noise, colors=2, method="colorcnn", format="packed")
    limit = plain.best.size - 10
    result = await quantized(app, noise, colors=4, method="colorcnn", format="packed", max_bytes=limit)

    assert result.goals_met is True and result.best.size <= limit
    assert result.notes == ("the index map is smoothed, so that the file fits",) and plain.notes == ()
    assert result.image.colors == 2 and result.image != plain.image
    assert np.array_equal(decode(result.file).pixels, result.image.render())
    assert result.recognition is not None


@pytest.mark.parametrize(
    ("pixels", "changes"),
    [
        (32, {"method": "kmeans"}),
        (32, {"format": "raw"}),
        (520, {}),
    ],
)
async def test_other_index_maps_are_not_smoothed(app: FastAPI, pixels: int, changes: dict[str, Any]) -> None:
    noise = encoded(np.random.default_rng(0).integers(0, 256, (pixels, pixels, 3), dtype=np.uint8))
    options = {"colors": 2, "method": "colorcnn", **changes}
    plain = await quantized(app, noise, **options)
    with pytest.RaisesGroup(DoesNotFit, flatten_subgroups=True):  # from the task groups of the service
        await quantized(app, noise, **options, max_bytes=plain.best.size - 1)


async def test_an_image_that_may_be_scaled_is_not_smoothed(app: FastAPI) -> None:
    noise = encoded(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    plain = await quantized(app, noise, colors=2, method="colorcnn")
    result = await quantized(app, noise, colors=2, method="colorcnn", scale="auto", max_bytes=plain.best.size - 10)

    assert result.notes == () and result.image.width < 32


async def test_colors_auto_takes_the_fewest_for_recognition_and_the_most_for_bytes(app: FastAPI) -> None:
    fewest = await quantized(app, DRAWING, colors="auto", method="octree", keep=0.1)
    most = await quantized(app, DRAWING, colors="auto", method="octree", max_bytes=100_000)
    both = await quantized(app, DRAWING, colors="auto", method="octree", max_bytes=100_000, keep=0.1)

    assert (fewest.image.colors, both.image.colors) == (2, 2)
    assert most.image.colors > 100
    assert fewest.goals_met and most.goals_met and both.goals_met


async def test_scale_auto_begins_at_the_whole_image(app: FastAPI) -> None:
    noise = encoded(np.random.default_rng(0).integers(0, 256, (90, 60, 3), dtype=np.uint8))
    whole = await quantized(app, noise, colors=4, method="octree", max_bytes=100_000, scale="auto")
    smaller = await quantized(app, noise, colors=4, method="octree", max_bytes=whole.best.size // 2, scale="auto")

    assert whole.image.width == 60 and 1 <= smaller.image.width < 60
    assert smaller.goals_met is True and smaller.best.size <= whole.best.size // 2
    assert smaller.recognition is not None  # of the upload at its own size
