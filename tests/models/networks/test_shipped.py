"""The networks that ship compute what they computed when their results were measured.

The numbers are those of a photograph of a cat: mean, standard deviation and extremes of what a network returns. A CPU
with other vector units rounds sums in another order, which changes the fourth digit at most.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from models.networks.classifiers import Classifier
from models.networks.colorcnn import ColorCNN
from models.quantizers.learned.colorcnn import load_quantizer
from models.quantizers.learned.prefiltering import load_prefilter
from models.recognizer import load_recognizer
from models.zoo.registry import Registry

CPU = torch.device("cpu")
PHOTO = Path(__file__).parents[2] / "photos" / "cat.jpg"

# Mean, standard deviation and largest of the logits, the best class, the first and the last number of its map, and the
# deviation of each stage.
CLASSIFIERS: Mapping[str, tuple[list[float], int, list[float], list[float]]] = {
    "cifar10-resnet9": ([-0.0052683, 1.745, 4.8214], 3, [4.0433, 4.0971], [0.20668, 0.23883, 0.13549, 0.25054]),
    "cifar10-alexnet": ([-0.0029664, 3.9933, 7.6278], 3, [6.3831, 8.1938], [0.44125, 0.46437, 0.2596]),
    "tiny-alexnet": ([0.0073966, 2.3609, 5.7896], 24, [3.2149, 3.105], [0.44705, 0.71719, 0.80525]),
    "tiny-alexnet-k2": ([0.0074092, 2.5701, 7.6291], 28, [5.7075, 3.3954], [0.45581, 0.75031, 0.83595]),
    "tiny-alexnet-k4": ([0.0065264, 2.2151, 5.8658], 24, [2.8255, 2.7046], [0.45426, 0.74177, 0.74627]),
    "imagenet-efficientnet-lite0": (
        [-0.065522, 1.1878, 10.747],
        285,
        [0.71424, 2.222],
        [5.345, 7.9885, 7.0973, 6.8424, 0.66338],
    ),
    "imagenet-efficientnet-lite1": (
        [-0.056856, 0.87956, 9.1383],
        285,
        [1.6409, 1.4375],
        [4.8699, 9.256, 8.297, 7.4797, 0.62597],
    ),
}

# By number of colors: mean, deviation and largest of the structure; mean and largest of the weights, mean and least of
# the offsets of the colors.
COLORCNNS: Mapping[str, Mapping[int, tuple[list[float], list[float]]]] = {
    "cifar10-resnet9-colorcnn": {
        2: ([-1.0142, 8.0438, 63.419], [17.519, 25.178, -13.153, -17.693]),
        5: ([-2.2817, 17.922, 224.92], [65.743, 106.55, -50.37, -93.55]),
        40: ([-16.394, 73.371, 444.36], [736.94, 1277.3, -558.46, -1281.3]),
        256: ([-45.582, 176.07, 431.78], [5741.6, 10125.0, -4334.6, -10506.0]),
    },
    "cifar10-resnet9-colorcnn-one-pass": {
        2: ([-5.581, 28.676, 46.965], [14.684, 21.104, -11.025, -14.83]),
        5: ([-6.4712, 38.835, 200.5], [54.556, 88.423, -41.799, -77.632]),
        40: ([-27.709, 112.18, 397.46], [597.82, 1036.2, -453.03, -1039.4]),
        256: ([-76.975, 281.65, 455.19], [4564.2, 8048.8, -3445.7, -8351.8]),
    },
    "cifar10-resnet9-colorcnn-rate": {
        2: ([-3.8464, 9.5476, 29.747], [14.628, 21.024, -10.983, -14.774]),
        5: ([-8.2563, 25.951, 165.84], [53.524, 86.749, -41.008, -76.162]),
        40: ([-53.579, 141.56, 171.16], [566.44, 981.81, -429.25, -984.88]),
        256: ([-118.6, 316.96, 343.17], [4192.5, 7393.2, -3165.1, -7671.5]),
    },
    "cifar10-alexnet-colorcnn": {
        2: ([-20.034, 22.548, 39.275], [72.056, 103.56, -54.1, -72.775]),
        5: ([-22.632, 28.388, 54.69], [262.71, 425.79, -201.28, -373.83]),
        40: ([-24.413, 23.215, 40.52], [2758.0, 4780.4, -2090.0, -4795.3]),
        256: ([-42.35, 35.896, 112.14], [20267.0, 35739.0, -15300.0, -37084.0]),
    },
    "tiny-alexnet-colorcnn": {
        2: ([-16.214, 14.042, -2.033], [36.951, 54.178, -27.364, -37.62]),
        5: ([-15.567, 14.208, 3.7472], [130.53, 215.18, -100.2, -188.84]),
        40: ([-17.101, 13.991, 16.77], [1190.4, 2079.8, -910.17, -2096.5]),
        256: ([-31.83, 27.11, 62.285], [5952.8, 10554.0, -4535.2, -10992.0]),
    },
    "tiny-alexnet-colorcnn-subpixel": {
        2: ([-3.1388, 4.1126, 10.381], [6.7936, 9.9609, -5.031, -6.9166]),
        5: ([-4.1943, 4.8862, 12.584], [25.931, 42.748, -19.906, -37.516]),
        40: ([-18.091, 20.002, 221.29], [281.94, 492.58, -215.57, -496.54]),
        256: ([-48.26, 52.33, 686.29], [1649.4, 2924.4, -1256.6, -3045.6]),
    },
}

# Mean, deviation, least and largest of the predicted change.
PREFILTER: list[float] = [-0.08563, 1.8488, -10.2, 10.017]


@pytest.fixture(autouse=True)
def _only_what_is_installed(request: pytest.FixtureRequest) -> None:
    """The weights of some classifiers come with packages of their own."""
    name = getattr(request.node, "callspec", None) and request.node.callspec.params.get("name")
    if name and name not in [entry.name for entry in Registry.open(None).available()]:
        pytest.skip(f"the weights of {name} are not installed")


def view(side: int) -> Tensor:
    with Image.open(PHOTO) as photo:
        pixels = np.asarray(photo.convert("RGB").resize((side, side), Image.Resampling.BOX)).copy()
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def near(values: list[float]) -> object:
    return pytest.approx(values, rel=2e-3, abs=2e-3)


def described(tensor: Tensor) -> list[float]:
    return [float(value) for value in (tensor.mean(), tensor.std(), tensor.max())]


def of_classifier(name: str) -> tuple[list[float], int, list[float], list[float]]:
    network = load_recognizer(Registry.open(None), name, CPU).network
    assert isinstance(network, Classifier)
    images = view(network.size)
    with torch.no_grad():
        logits = network(images)
        best = logits.argmax(1)
        shown = network.class_maps(images, best).flatten()
        stages = [float(each.std()) for each in network.features(images)]
    return described(logits), int(best), [float(shown[0]), float(shown[-1])], stages


def of_colorcnn(network: ColorCNN, colors: int) -> tuple[list[float], list[float]]:
    images = view(network.config.encoder.size)
    with torch.no_grad():
        plan = network.plan(images, images.flatten(2).transpose(1, 2), colors)
    weights, offsets = plan.weights, plan.offsets
    numbers = [float(each) for each in (weights.mean(), weights.abs().max(), offsets.mean(), offsets.min())]
    return [] if plan.structure is None else described(plan.structure), numbers


def of_prefilter() -> list[float]:
    network = load_prefilter(Registry.open(None), "imagenet-efficientnet-lite0-prefilter", CPU)
    images = view(97)[:, :, :95]
    with torch.no_grad():
        change = network(images, (3 * images).round() / 3, torch.tensor([4]), torch.tensor([1]))
    return [100 * float(each) for each in (change.mean(), change.std(), change.min(), change.max())]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_has_its_logits_maps_and_features(name: str) -> None:
    logits, best, shown, stages = of_classifier(name)
    expected = CLASSIFIERS[name]

    assert best == expected[1]
    assert (logits, shown, stages) == (near(expected[0]), near(expected[2]), near(expected[3]))


@pytest.mark.parametrize("name", COLORCNNS)
def test_a_color_network_has_its_plan(name: str) -> None:
    network = load_quantizer(Registry.open(None), name, CPU).network

    for colors, (structure, numbers) in COLORCNNS[name].items():
        found = of_colorcnn(network, colors)
        assert found == (near(structure), near(numbers))


def test_the_prefilter_has_its_change() -> None:
    assert of_prefilter() == near(PREFILTER)
