"""models/quantize.py: quantization in one call."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models import quantize as module
from models.errors import BadOption, UnknownMethod, UnknownModel
from models.names import METHOD_NAMES, ModelKind
from models.palettes import PALETTES, hex_color, parse_palette
from models.quantize import METHODS, quantize
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned import shipped
from models.rgb import Pixels
from models.zoo.registry import Registry


def picture(height: int, width: int) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([200 * x / width, 220 * y / height, 255 - 100 * x / width], axis=-1)
    return (smooth + np.random.default_rng(0).integers(0, 30, smooth.shape)).clip(0, 255).astype(np.uint8)


SMALL, LARGE = picture(32, 40), picture(80, 90)


def test_the_example_of_its_documentation() -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted == 4


def test_the_example_of_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parents[2]
    (code,) = re.findall(r"```python\n(from PIL.*?)```", (root / "docs" / "api.md").read_text(), re.DOTALL)
    (tmp_path / "tests").symlink_to(root / "tests")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "api.md", "exec"), {})
    assert capsys.readouterr().out == f"{gameboy()} {451 * 300}\n"
    with Image.open("out.png") as file:
        assert (file.mode, file.size) == ("P", (451, 300))


def gameboy() -> tuple[str, ...]:
    return tuple(map(hex_color, PALETTES["gameboy"].colors))


def test_every_method_has_a_name() -> None:
    assert set(METHODS) <= set(METHOD_NAMES)


@pytest.mark.parametrize("method", CLASSICAL)
def test_a_classical_method_is_that_of_the_catalog(method: str) -> None:
    assert quantize(SMALL, 5, method) == CLASSICAL[method].quantize(SMALL, 5)


def test_the_default_method_follows_the_size() -> None:
    assert quantize(SMALL) == quantize(SMALL, 4, "colorcnn")
    assert quantize(LARGE) == quantize(LARGE, 4, "refined_fast")
    assert 2 * Registry.open(None).default(ModelKind.COLORCNN).size == module._SMALL


@pytest.mark.parametrize(
    "options",
    [{"dither": False}, {"transferable": False}, {"palette": "bw"}, {"model": "imagenet-efficientnet-lite0"}],
    ids=str,
)
def test_options_of_the_refined_methods_select_one(options: dict[str, object]) -> None:
    assert quantize(SMALL, **options) == quantize(SMALL, method="refined_fast", **options)  # type: ignore[arg-type]


def test_a_network_as_model_selects_the_network() -> None:
    model = "cifar10-alexnet-colorcnn"
    assert quantize(LARGE, model=model) == quantize(LARGE, method="colorcnn", model=model)


def test_networks_are_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    quantize(LARGE)

    def fail(*_: object) -> None:
        raise AssertionError("loaded again")

    monkeypatch.setattr(shipped, "load_recognizer", fail)
    monkeypatch.setattr(shipped, "load_quantizer", fail)
    assert quantize(LARGE, 2).colors == 2


@pytest.mark.parametrize("method", ["refined_fast", "refined_one_pass", "halftone", "nearest"])
@pytest.mark.parametrize("palette", ["gameboy", [[15, 56, 15], [48, 98, 48], [139, 172, 15], [155, 188, 15]]], ids=str)
def test_a_fixed_palette_keeps_its_entries(method: str, palette: object) -> None:
    image = quantize(LARGE, method=method, palette=palette)  # type: ignore[arg-type]
    assert np.array_equal(image.palette, parse_palette("gameboy"))


def test_alpha_is_kept() -> None:
    alpha = np.zeros((32, 40), np.uint8)
    alpha[5:20] = 255
    layers = np.dstack([SMALL, alpha])
    image = quantize(layers, 4, "kmeans")
    assert np.array_equal(image.render_alpha(), alpha)
    assert image.colors == 4
    assert quantize(layers, 2, "kmeans", background=(0, 255, 0)).render()[0, 0, 1] > 200


def test_opaque_alpha_changes_nothing() -> None:
    layers = np.dstack([SMALL, np.full((32, 40), 255, np.uint8)])
    assert quantize(layers, 4, "kmeans") == quantize(SMALL, 4, "kmeans")


def test_an_image_of_pillow_is_accepted() -> None:
    assert quantize(Image.fromarray(SMALL), 4, "wu") == quantize(SMALL, 4, "wu")


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"colors": 1}, BadOption, "colors must be 2 to 256"),
        ({"colors": 257, "method": "wu"}, BadOption, "colors must be 2 to 256"),
        ({"method": "magic"}, UnknownMethod, "no method 'magic'; the methods are colorcnn, .*nearest"),
        ({"method": "colorcnn_published"}, BadOption, "networks that do not ship"),
        ({"method": "nearest"}, BadOption, "needs a palette"),
        ({"method": "wu", "palette": "bw"}, BadOption, "'wu' does not support palette; leave it out, or use"),
        ({"method": "colorcnn", "palette": "bw"}, BadOption, "does not support palette"),
        ({"method": "wu", "model": "cifar10-resnet9"}, BadOption, "does not support model"),
        ({"method": "wu", "dither": True}, BadOption, "does not support dither"),
        ({"method": "colorcnn_one_pass", "fidelity": 0.5}, BadOption, "does not support fidelity"),
        ({"method": "refined_one_pass", "transferable": False}, BadOption, "does not support transferable"),
        ({"fidelity": 1.5}, BadOption, "fidelity must be 0 to 1"),
        ({"model": "magic"}, UnknownModel, "no model 'magic'"),
        ({"model": "cifar10-resnet9", "method": "colorcnn"}, UnknownModel, "not a learned quantizer"),
        ({"palette": "bw", "colors": 3}, BadOption, "colors is 3, but the palette has 2 colors"),
        ({"palette": "spectra7"}, ValueError, "no palette named"),
        ({"palette": [[0, 0, 0], [0, 0, 0]]}, ValueError, "repeats"),
        ({"palette": [[0, 0, 256], [0, 0, 0]]}, ValueError, "levels from 0 to 255"),
        ({"palette": [0, 1]}, ValueError, "levels from 0 to 255"),
        ({"device": "magic"}, BadOption, "no device 'magic'"),
        ({"device": "cuda:99"}, BadOption, "CUDA devices; use cpu"),
    ],
    ids=str,
)
def test_errors_say_what_to_do(options: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        quantize(SMALL, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8), "photo.jpg"],
    ids=["two axes", "floats", "two channels", "empty", "a path"],
)
def test_other_pixels_are_refused(pixels: object) -> None:
    with pytest.raises(ValueError, match=r"pixels must be \(H, W, 3\) or \(H, W, 4\) uint8"):
        quantize(pixels)  # type: ignore[arg-type]


def test_a_classical_method_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import numpy as np; from models.quantize import quantize; "
        "quantize(np.arange(192, dtype=np.uint8).reshape(8, 8, 3), 4, 'median_cut')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
