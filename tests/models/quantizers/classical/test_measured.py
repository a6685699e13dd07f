"""The classical quantizers give a photograph of a cat what they gave when their results were measured."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.quantizers.classical.catalog import CLASSICAL, classical_for
from models.rgb import Pixels

PHOTO = Path(__file__).parents[3] / "photos" / "cat.jpg"
PALETTE = np.array([[0, 0, 0], [255, 255, 255], [200, 40, 40], [40, 90, 30], [130, 100, 70]], np.uint8)
COLORS = (2, 5, 16, 200)

# By method and number of colors: pixels of the rarest and of the most frequent entry, mean color, mean difference to
# the pixel before, and mean square error.
FOUND: dict[str, dict[int, tuple[list[int], list[float], list[float]]]] = {
    "median_cut": {
        2: ([2, 3404, 3508], [147.84, 111.87, 86.9], [6.662, 455.873]),
        5: ([5, 792, 2113], [149.34, 113.32, 88.37], [8.349, 180.613]),
        16: ([16, 323, 497], [148.61, 111.93, 86.92], [9.615, 62.157]),
        200: ([200, 2, 75], [147.89, 111.56, 86.94], [10.244, 9.347]),
    },
    "median_cut_by_error": {
        2: ([2, 3448, 3464], [148.05, 112.05, 87.06], [6.318, 460.124]),
        5: ([5, 709, 1870], [148.23, 111.21, 86.21], [8.688, 179.942]),
        16: ([16, 197, 738], [147.77, 111.58, 87.15], [9.958, 56.579]),
        200: ([200, 4, 87], [147.87, 111.59, 87.0], [10.293, 6.852]),
    },
    "octree": {
        2: ([2, 1097, 5815], [153.49, 115.65, 88.81], [3.104, 974.558]),
        5: ([5, 622, 3670], [152.47, 115.0, 88.63], [8.338, 568.354]),
        16: ([16, 1, 1893], [147.2, 110.98, 86.44], [9.705, 109.374]),
        200: ([171, 1, 355], [147.35, 111.08, 86.51], [10.276, 13.779]),
    },
    "octree_nearest": {
        2: ([2, 2470, 4442], [157.86, 120.22, 93.58], [2.814, 728.954]),
        5: ([5, 938, 2089], [150.66, 113.09, 86.31], [8.102, 199.978]),
        16: ([16, 52, 1034], [147.83, 111.76, 86.7], [10.298, 68.208]),
        200: ([171, 1, 255], [147.83, 111.47, 86.97], [10.423, 9.838]),
    },
    "max_coverage": {
        2: ([2, 1843, 5069], [153.14, 139.01, 137.21], [24.588, 5240.512]),
        5: ([5, 106, 3256], [145.59, 112.1, 91.78], [10.804, 567.115]),
        16: ([16, 23, 1622], [145.71, 114.91, 86.88], [11.342, 137.629]),
        200: ([200, 1, 200], [147.85, 111.6, 86.9], [10.536, 10.339]),
    },
    "median_cut_dither": {
        2: ([2, 3413, 3499], [147.78, 111.8, 86.83], [12.229, 537.77]),
        5: ([5, 942, 2157], [148.84, 112.97, 88.25], [10.991, 246.255]),
        16: ([16, 251, 655], [148.62, 112.21, 87.24], [11.4, 101.026]),
        200: ([200, 5, 114], [147.76, 111.46, 86.85], [10.855, 17.273]),
    },
    "halftone": {
        2: ([2, 3313, 3599], [148.3, 111.99, 87.28], [49.933, 1636.51]),
        5: ([5, 191, 3121], [149.93, 112.19, 85.43], [19.188, 311.34]),
        16: ([16, 14, 1132], [147.9, 111.62, 86.89], [15.56, 114.467]),
        200: ([200, 2, 99], [147.64, 111.36, 86.75], [10.762, 9.25]),
    },
    "kmeans": {
        2: ([2, 3364, 3548], [147.59, 111.64, 87.23], [6.598, 455.356]),
        5: ([5, 365, 2249], [147.93, 111.74, 86.85], [9.211, 142.639]),
        16: ([16, 101, 776], [147.84, 111.52, 86.93], [10.015, 47.566]),
        200: ([200, 4, 95], [147.82, 111.57, 86.95], [10.251, 5.235]),
    },
    "kmeans_oklab": {
        2: ([2, 2930, 3982], [148.08, 111.23, 87.38], [7.013, 471.549]),
        5: ([5, 278, 2277], [147.96, 111.69, 87.43], [9.574, 158.275]),
        16: ([16, 60, 751], [147.9, 111.63, 87.36], [10.224, 56.205]),
        200: ([200, 4, 89], [147.88, 111.58, 87.0], [10.263, 6.692]),
    },
    "wu": {
        2: ([2, 3309, 3603], [148.06, 111.98, 86.85], [6.909, 464.959]),
        5: ([5, 756, 2235], [147.69, 111.71, 86.93], [9.675, 165.538]),
        16: ([16, 100, 736], [147.81, 111.63, 86.95], [10.22, 62.147]),
        200: ([200, 4, 99], [147.8, 111.58, 86.92], [10.271, 7.246]),
    },
    "wu_nearest": {
        2: ([2, 3357, 3555], [148.37, 112.31, 87.23], [6.617, 456.32]),
        5: ([5, 629, 2012], [147.91, 111.84, 86.93], [8.901, 151.029]),
        16: ([16, 93, 693], [147.83, 111.63, 86.61], [9.997, 53.677]),
        200: ([200, 3, 96], [147.82, 111.61, 86.92], [10.243, 6.108]),
    },
    "libimagequant": {
        2: ([2, 3291, 3621], [148.47, 111.85, 88.19], [6.624, 457.559]),
        5: ([5, 306, 3060], [147.77, 111.27, 87.03], [8.533, 163.274]),
        16: ([16, 172, 772], [148.02, 111.61, 87.16], [10.042, 49.455]),
        200: ([200, 5, 103], [147.89, 111.53, 86.92], [10.276, 5.644]),
    },
}
FIXED: dict[str, tuple[list[int], list[float], list[float]]] = {
    "halftone": ([5, 130, 5241], [143.97, 111.56, 86.72], [46.506, 2462.015]),
    "nearest": ([5, 8, 6437], [126.72, 100.66, 70.24], [2.976, 1151.022]),
}


def photo() -> Pixels:
    with Image.open(PHOTO) as opened:
        return np.asarray(opened.convert("RGB").resize((96, 72), Image.Resampling.BOX))


def measured(method: str, colors: int, palette: Pixels | None = None) -> tuple[list[int], list[float], list[float]]:
    image = classical_for(method, palette).quantize(photo(), colors)
    shown = image.render().astype(float)
    steps, error = np.abs(shown[:, 1:] - shown[:, :-1]).mean(), np.square(shown - photo()).mean()
    counts = [image.colors, int(image.counts().min()), int(image.counts().max())]
    return counts, shown.mean((0, 1)).tolist(), [float(steps), float(error)]


def check(found: tuple[list[int], list[float], list[float]], known: tuple[list[int], list[float], list[float]]) -> None:
    assert found[0] == pytest.approx(known[0], rel=0.02, abs=2)
    assert found[1] == pytest.approx(known[1], abs=0.1)
    assert found[2] == pytest.approx(known[2], rel=0.01)


@pytest.mark.parametrize("colors", COLORS)
@pytest.mark.parametrize("method", CLASSICAL)
def test_a_method_gives_what_was_measured(method: str, colors: int) -> None:
    check(measured(method, colors), FOUND[method][colors])


@pytest.mark.parametrize("method", ["halftone", "nearest"])
def test_a_fixed_palette_gives_what_was_measured(method: str) -> None:
    check(measured(method, len(PALETTE), PALETTE), FIXED[method])
