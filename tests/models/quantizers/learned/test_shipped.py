"""The shipped quantizers give the palettes and index maps that they gave when their results were measured.

The numbers are those of a photograph of a cat. A CPU with other vector units computes in 8-bit integers, bfloat16 or
float32, and rounds sums in another order, which may move a few pixels to another entry.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.errors import BadOption, UnknownModel
from models.names import ModelKind
from models.quantizers.base import Backdrop
from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.quantizers.learned.refined import RefinedQuantizer
from models.quantizers.learned.shipped import is_classifier, shipped_quantizer
from models.rgb import Pixels
from models.zoo.registry import Registry

PHOTO = Path(__file__).parents[3] / "photos" / "cat.jpg"
OWN: dict[str, Any] = {"transferable": False}
FIRST: dict[str, Any] = {"model": "cifar10-resnet9-colorcnn"}
RED = np.array([[0, 0, 0], [255, 255, 255], [200, 40, 40]], np.uint8)

# Method, size, colors and options; then pixels of each entry, mean color, and mean difference to the pixel before.
CASES: dict[str, tuple[str, tuple[int, int], int, dict[str, Any]]] = {
    "colorcnn 2": ("colorcnn", (32, 32), 2, FIRST),
    "colorcnn 6": ("colorcnn", (32, 32), 6, FIRST),
    "colorcnn 4, photograph": ("colorcnn", (96, 72), 4, FIRST),
    "colorcnn 4, fidelity": ("colorcnn", (32, 32), 4, FIRST | {"fidelity": 0.5}),
    "one pass 4": ("colorcnn_one_pass", (32, 32), 4, FIRST),
    "one pass 2, default network": ("colorcnn_one_pass", (32, 32), 2, {}),
    "one pass 2, sub-pixel branch": ("colorcnn_one_pass", (64, 64), 2, {"model": "tiny-alexnet-colorcnn-subpixel"}),
    "refined structure 4": ("colorcnn_refined", (32, 32), 4, FIRST),
    "refined_fast 2": ("refined_fast", (96, 72), 2, OWN),
    "refined_fast 16, flat": ("refined_fast", (96, 72), 16, OWN | {"dither": False}),
    "refined_fast 4, dither": ("refined_fast", (96, 72), 4, OWN | {"dither": True}),
    "refined_fast 4, large": ("refined_fast", (640, 420), 4, OWN),
    "refined 8, large": ("refined", (640, 420), 8, OWN),
    "refined_fast 6, fidelity": ("refined_fast", (96, 72), 6, OWN | {"fidelity": 0.5}),
    "refined_fast 3, palette": ("refined_fast", (96, 72), 3, OWN | {"palette": RED}),
    "refined 4": ("refined", (96, 72), 4, OWN),
    "refined 2": ("refined", (96, 72), 2, OWN),
    "refined_one_pass 4": ("refined_one_pass", (96, 72), 4, {}),
}
FOUND: dict[str, tuple[list[int], list[float], float]] = {
    "colorcnn 2": ([496, 528], [147.53, 111.08, 86.69], 11.206),
    "colorcnn 6": ([51, 87, 188, 188, 243, 267], [147.53, 111.42, 86.78], 14.585),
    "colorcnn 4, photograph": ([590, 1033, 2284, 3005], [147.99, 111.58, 86.69], 8.073),
    "colorcnn 4, fidelity": ([93, 153, 358, 420], [147.56, 111.25, 86.59], 13.873),
    "one pass 4": ([96, 151, 372, 405], [147.5, 111.55, 86.85], 12.81),
    "one pass 2, default network": ([456, 568], [147.47, 111.25, 86.92], 8.96),
    "one pass 2, sub-pixel branch": ([1213, 2883], [147.45, 111.27, 87.19], 6.766),
    "refined structure 4": ([107, 181, 335, 401], [147.79, 111.06, 86.48], 11.74),
    "refined_fast 2": ([3405, 3507], [147.32, 111.35, 86.91], 11.698),
    "refined_fast 16, flat": (
        [105, 198, 205, 327, 348, 352, 385, 415, 449, 469, 473, 526, 592, 596, 713, 759],
        [147.76, 111.49, 87.06],
        10.786,
    ),
    "refined_fast 4, dither": ([424, 797, 2690, 3001], [149.38, 112.13, 85.96], 24.763),
    "refined_fast 4, large": ([13508, 30591, 94335, 130366], [149.46, 111.79, 84.82], 21.799),
    "refined 8, large": ([5870, 5998, 15714, 30296, 34568, 44182, 56708, 75464], [147.11, 111.56, 87.36], 23.689),
    "refined_fast 6, fidelity": ([299, 712, 934, 1393, 1785, 1789], [147.66, 111.64, 87.0], 9.957),
    "refined_fast 3, palette": ([423, 606, 5883], [192.58, 56.4, 56.4], 16.197),
    "refined 4": ([741, 1227, 2425, 2519], [148.32, 111.82, 87.12], 10.727),
    "refined 2": ([3442, 3470], [147.09, 111.1, 86.61], 12.214),
    "refined_one_pass 4": ([773, 1198, 2447, 2494], [147.81, 111.28, 86.51], 9.414),
}


def photo(size: tuple[int, int]) -> Pixels:
    with Image.open(PHOTO) as opened:
        return np.asarray(opened.convert("RGB").resize(size, Image.Resampling.BOX))


@cache
def installed() -> frozenset[str]:
    return frozenset(entry.name for entry in Registry.open(None).available())


def measured(case: str) -> tuple[list[int], list[float], float]:
    method, size, colors, options = CASES[case]
    image = shipped_quantizer(method, device="cpu", **options).quantize(photo(size), colors)
    shown = image.render().astype(float)
    steps = np.abs(shown[:, 1:] - shown[:, :-1]).mean()
    return sorted(image.counts().tolist()), shown.mean((0, 1)).tolist(), float(steps)


@pytest.mark.parametrize("case", CASES)
def test_a_quantizer_gives_what_was_measured(case: str) -> None:
    if case.startswith("refined_") and "imagenet-efficientnet-lite0" not in installed():
        pytest.skip("the weights of imagenet-efficientnet-lite0 are not installed")
    counts, color, steps = measured(case)
    slack = 5 if case.startswith("refined") else 1  # gradient steps enlarge differences between machines

    assert counts == pytest.approx(FOUND[case][0], rel=0.01 * slack, abs=6)
    assert color == pytest.approx(FOUND[case][1], abs=0.2 * slack)
    assert steps == pytest.approx(FOUND[case][2], rel=0.01 * slack)


def test_options_reach_the_quantizer() -> None:
    if "imagenet-efficientnet-lite0" not in installed():
        pytest.skip("the weights of imagenet-efficientnet-lite0 are not installed")
    backdrop = Backdrop(np.zeros((3, 4), np.uint8), (1, 2, 3))
    several = shipped_quantizer("refined", device="cpu", fidelity=0.25, dither=True, backdrop=backdrop)
    quick = shipped_quantizer("refined_fast", device="cpu", transferable=False)
    assert isinstance(several, RefinedQuantizer) and isinstance(quick, RefinedQuantizer)

    assert (several.fidelity, several.dither, several.quick, several.backdrop) == (0.25, True, False, backdrop)
    assert (quick.fidelity, quick.dither, quick.quick, quick.backdrop, quick.palette) == (0.0, None, True, None, None)
    assert len(several.recognizers) > len(quick.recognizers) == 1
    assert several.prefilter is None
    one_pass = shipped_quantizer("refined_one_pass", device="cpu")
    assert isinstance(one_pass, RefinedQuantizer) and one_pass.prefilter is not None
    assert len(one_pass.recognizers) == 1 and not one_pass.quick


def test_networks_are_loaded_once() -> None:
    first, second = (shipped_quantizer("colorcnn", device="cpu") for _ in range(2))
    assert isinstance(first, LearnedQuantizer) and isinstance(second, LearnedQuantizer)

    assert first.network is second.network and first.fidelity == 0


def test_wrong_names_and_options_are_refused() -> None:
    without = [
        entry.name
        for entry in Registry.open(None).available()
        if entry.kind is ModelKind.COLORCNN and not _supports_fidelity(entry.name)
    ]
    for name in without:
        with pytest.raises(BadOption, match=f"'{name}' does not support fidelity"):
            shipped_quantizer("colorcnn", name, device="cpu", fidelity=0.1)
    with pytest.raises(UnknownModel):
        shipped_quantizer("colorcnn", "nobody", device="cpu")
    for device in ("nowhere", "cuda:99"):
        with pytest.raises(BadOption, match=f"'?{device}'?"):
            shipped_quantizer("colorcnn", device=device)
    assert is_classifier("cifar10-resnet9") and not is_classifier("cifar10-resnet9-colorcnn")
    with pytest.raises(UnknownModel):
        is_classifier("nobody")


def _supports_fidelity(name: str) -> bool:
    quantizer = shipped_quantizer("colorcnn", name, device="cpu")
    return isinstance(quantizer, LearnedQuantizer) and quantizer.supports_fidelity
