"""Several uploads: one palette for all, and what fails alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI

from models.errors import BadOption, UnknownMethod
from models.quantizers.classical.halftone import stretch, stretched_palette
from service.inference import several
from service.inference.quantization import Quantized
from service.inference.several import Failed, quantize_several
from service.schemas.options import QuantizeOptions
from service.schemas.upload import UploadedFile
from tests.service.clients import ready
from tests.service.images import encoded, ramp

pytestmark = pytest.mark.anyio

DARK, BRIGHT = (UploadedFile(encoded(ramp(30, 20) // 2 + more), name) for more, name in ((0, "d.png"), (127, "b.png")))
BROKEN = UploadedFile(b"no image", "broken.png")


async def run(app: FastAPI, *uploads: UploadedFile, **options: Any) -> list[Quantized | Failed]:
    async with ready(app):
        pipeline = app.state.service.pipeline
        return await quantize_several(pipeline, uploads, QuantizeOptions(**options), "png")


async def test_each_upload_has_a_palette_of_its_own_unless_they_share_one(app: FastAPI) -> None:
    own = await run(app, DARK, BRIGHT, colors=4, method="wu")
    shared = await run(app, DARK, BRIGHT, colors=4, method="wu", shared_palette=True)

    palettes = [
        [each.image.palette.tolist() for each in found if isinstance(each, Quantized)] for found in (own, shared)
    ]
    assert palettes[0][0] != palettes[0][1] and palettes[1][0] == palettes[1][1]
    assert [each.selection.method for each in shared if isinstance(each, Quantized)] == ["nearest"] * 2
    assert 2 <= len(palettes[1][0]) <= 4


async def test_an_upload_that_fails_fails_alone(app: FastAPI) -> None:
    for shared in (False, True):
        found = await run(app, DARK, BROKEN, BRIGHT, colors=3, method="wu", shared_palette=shared)
        assert [isinstance(each, Failed) for each in found] == [False, True, False]
        assert isinstance(found[1], Failed) and found[1].name == "broken.png"


async def test_broken_uploads_alone_share_nothing(app: FastAPI) -> None:
    found = await run(app, BROKEN, colors=3, method="wu", shared_palette=True)

    assert [isinstance(each, Failed) for each in found] == [True]


@pytest.mark.parametrize("method", ["colorcnn", "colorcnn_one_pass", "colorcnn_refined", "colorcnn_published"])
async def test_a_network_chooses_no_palette(app: FastAPI, method: str) -> None:
    async with ready(app):
        pipeline = app.state.service.pipeline
        with pytest.raises(BadOption, match=f"{method}' does not support `shared_palette`"):
            await several.options_of_each(pipeline, [DARK], QuantizeOptions(method=method, shared_palette=True))
        with pytest.raises(UnknownMethod):
            await several.options_of_each(pipeline, [DARK], QuantizeOptions(method="magic"))
        assert await several.options_of_each(pipeline, [DARK], QuantizeOptions(method="wu")) == QuantizeOptions(
            method="wu"
        )


@pytest.mark.parametrize(
    ("method", "mapping"),
    [
        (None, None),
        ("halftone", "halftone"),
        ("nearest", "nearest"),
        ("refined", "refined"),
        ("median_cut_dither", "halftone"),
        ("median_cut", "nearest"),
        ("kmeans", "nearest"),
    ],
)
def test_pictures_are_mapped_as_their_method_does(method: str | None, mapping: str | None) -> None:
    assert several._mapping(method) == mapping


@pytest.mark.parametrize(("method", "reach"), [(None, stretch(4)), ("halftone", stretch(4)), ("nearest", 1)])
def test_the_palette_reaches_as_far_as_the_method_needs(method: str | None, reach: float) -> None:
    sample = ramp(40, 1)

    expected = np.unique(stretched_palette(sample, 4, reach), axis=0)
    assert several._choose(sample, 4, method).tolist() == expected.tolist()


async def test_each_upload_has_the_same_part_of_the_sample(app: FastAPI) -> None:
    """A small picture counts as much as a large one: its two colors are half of four."""
    small = np.zeros((4, 4, 3), np.uint8)
    small[:2] = (255, 0, 0)
    large = np.full((40, 40, 3), (0, 0, 255), np.uint8)
    large[:20] = (0, 255, 0)
    uploads = [UploadedFile(encoded(each), "") for each in (small, large)]
    async with ready(app):
        options = await several.options_of_each(
            app.state.service.pipeline, uploads, QuantizeOptions(colors=4, method="kmeans", shared_palette=True)
        )

    assert options.palette == ((0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0))
    assert (options.colors, options.method) == (4, "nearest")
