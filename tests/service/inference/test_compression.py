"""Compression alone: what it refuses, what each output holds, and its encoders."""

import re
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

import numpy as np
import pytest

from models.codecs import bpg, png
from models.errors import BadOption, ColorCNNError, ImageTooLarge
from models.evaluation.metrics import mean_squared_error
from service.inference.compression import Compressed, Compression, Output
from service.inference.encoding_worker import Files, encode_all
from service.schemas.options import CompressOptions
from service.settings import Settings
from tests.service.clients import fake_app, ready
from tests.service.fakes import FakeEngine, in_thread
from tests.service.images import DRAWING, encoded, opened, ramp

pytestmark = pytest.mark.anyio

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


async def compressed(
    data: bytes = DRAWING, output: Output = "report", settings: Settings | None = None, **options: Any
) -> Compressed:
    app = fake_app(settings or Settings(), FakeEngine())
    async with ready(app):
        compression: Compression = app.state.service.compression
        try:
            result: Compressed | ColorCNNError = await compression.compress(data, CompressOptions(**options), output)
        except ColorCNNError as error:  # the service itself must end without one
            result = error
        assert (compression.in_flight, compression.waiting, len(compression._idle)) == (0, 0, 1)
    if isinstance(result, ColorCNNError):
        raise result
    return result


@pytest.mark.parametrize(("mode", "colors", "accepted"), [("index", 2, True), ("index", 3, False), ("plain", 3, True)])
async def test_index_mode_stores_two_colors(mode: str, colors: int, accepted: bool) -> None:
    if accepted:
        assert (await compressed(mode=mode, colors=colors)).options.mode == mode
    else:
        with pytest.raises(BadOption, match="stores two colors, not 3; ask for colors=2"):
            await compressed(mode=mode, colors=colors)


@pytest.mark.parametrize("mode", ["index", "plain"])
async def test_index_mode_needs_an_image_of_two_colors(mode: str) -> None:
    plain = encoded(np.full((20, 20, 3), 200, np.uint8))

    if mode == "plain":
        assert (await compressed(plain, mode=mode, colors=2)).image.colors == 1
    else:
        with pytest.raises(BadOption, match="has only one"):
            await compressed(plain, mode=mode, colors=2)


@pytest.mark.parametrize(
    ("size", "most", "mode", "refusal"),
    [
        ((40, 24), 960, "plain", None),
        ((40, 24), 959, "plain", "The image has 40 x 24 pixels; at most 959"),
        ((3, 60), 960, "plain", None),
        ((3, 61), 960, "plain", "encoded as 16 x 61 pixels; at most 960"),
        ((61, 15), 960, "plain", "encoded as 61 x 16 pixels; at most 960"),
        ((40, 24), 8 * 960, "auto", None),
        ((40, 24), 8 * 960 - 1, "auto", "at most 959 pixels"),
    ],
)
async def test_pixels_count_as_they_are_encoded(
    size: tuple[int, int], most: int, mode: str, refusal: str | None
) -> None:
    settings = Settings(compress_max_pixels=most)
    if refusal is None:
        result = await compressed(encoded(ramp(*size)), "file", settings, mode=mode, colors=2)
        assert (result.image.width, result.image.height) == size
    else:
        with pytest.raises(ImageTooLarge, match=refusal):
            await compressed(encoded(ramp(*size)), "file", settings, mode=mode, colors=2)


@pytest.mark.parametrize("output", ["report", "file", "picture"])
async def test_each_output_holds_what_it_needs(output: Output) -> None:
    result = await compressed(output=output, colors=3)

    assert (result.original_bpg is None, result.index_map_kept is None) == ((output != "report",) * 2)
    assert (result.picture is None) == (output != "picture")
    versions = [result.original, result.quantized, result.quantized_bpg]
    assert result.original.file == DRAWING and result.quantized.file == png.encode(result.image)
    assert [version.fixed_size for version in versions] == [
        None,
        png.fixed_bytes(result.quantized.file),
        bpg.fixed_bytes(result.quantized_bpg.file),
    ]
    assert [version.coding is None for version in versions] == [True, True, False]
    assert result.original.mse == 0
    assert result.quantized.mse == mean_squared_error(ramp(), result.image.render())
    assert result.bits_per_pixel(960) == 8
    if result.picture is not None:
        assert np.array_equal(np.asarray(opened(result.picture)), bpg.decode(result.quantized_bpg.file))
    if result.original_bpg is not None:
        assert result.original_bpg.mse == mean_squared_error(ramp(), bpg.decode(result.original_bpg.file))


@pytest.mark.parametrize("recognize", [True, False])
async def test_every_version_is_classified_unless_that_is_switched_off(recognize: bool) -> None:
    result = await compressed(colors=3, recognize=recognize)

    assert result.original_bpg is not None
    for version in (result.original, result.quantized, result.quantized_bpg, result.original_bpg):
        assert (version.prediction is not None) is recognize


async def test_a_larger_image_is_scaled_first() -> None:
    result = await compressed(colors=3, max_side=20)

    assert (result.image.width, result.image.height, result.notes) == (20, 12, ("scaled from 40x24",))


async def test_options_reach_the_encoder() -> None:
    given: list[Any] = []

    async def encode(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        if function.__name__ == encode_all.__name__:
            given.append(args)
        return await in_thread(function, *args)

    app = fake_app(Settings(), FakeEngine(), encoders=[encode])
    async with ready(app):
        for output in ("report", "file"):
            await app.state.service.compression.compress(DRAWING, CompressOptions(qp=33, chroma="420"), output)

    [(_, original, coding, mode), (_, without, *_)] = given
    assert (coding, mode, without) == (bpg.Coding(33, chroma="420"), "plain", None)
    assert np.array_equal(original, ramp())


async def test_encoders_that_fail_to_start_are_logged_and_not_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(function: Callable[[*Arguments], Result], *args: *Arguments) -> Result:
        raise RuntimeError("no process")

    app = fake_app(Settings(), FakeEngine(), encoders=[broken, in_thread])
    async with ready(app):
        assert await app.state.service.compression.warm() == 1
    assert re.search("an encoder could not be started", caplog.text)


def test_the_original_is_encoded_only_where_it_is_asked_for() -> None:
    from tests.service.fake_loader import gray_steps

    image = gray_steps(ramp(), 3)
    alone = encode_all(image, None, bpg.Coding(20), "plain")
    both = encode_all(image, ramp(), bpg.Coding(20), "plain")

    assert alone == Files(png.encode(image), bpg.encode_as(image, bpg.Coding(20), "plain"), None)
    assert both == (*alone[:2], bpg.encode_as(ramp(), bpg.Coding(20)))
