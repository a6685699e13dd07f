"""training/importing/timm_models.py: real models of timm; skipped without timm."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from models.recognizer import load_recognizer
from models.zoo.registry import Registry
from training import import_classifier
from training.importing import timm_models
from training.importing.description import Description
from training.importing.graph import Rejected
from training.importing.weights import fill

pytestmark = pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="needs timm, of the extra `timm`")

CPU = torch.device("cpu")
CAT = Path(__file__).parents[2] / "photos" / "cat.jpg"
LITE0 = "imagenet-efficientnet-lite0"

Make = Callable[..., nn.Module]


@pytest.fixture
def create(recwarn: pytest.WarningsRecorder) -> Make:
    """Return a maker of timm's models with fresh weights; warnings of timm are its own."""

    def make(name: str, classes: int | None = None) -> nn.Module:
        torch.manual_seed(0)
        return timm_models.create(name, classes)

    return make


def photo(size: int) -> Tensor:
    with Image.open(CAT) as image:
        pixels = np.asarray(image.convert("RGB").resize((size, size)))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255


def timm_name(ours: str) -> str:
    """Return timm's name of a tensor of our EfficientNet-Lite: stages of blocks instead of stages at strides."""
    module, _, parameter = ours.rpartition(".")
    if module in ("stages.0.0.0", "stages.0.0.1"):
        return f"{('conv_stem', 'bn1')[module.endswith('1')]}.{parameter}"
    if module == "head":
        return f"classifier.{parameter}"
    _, stage, position, *rest = module.split(".")
    group, block = GROUPS[int(stage), int(position)]
    if group == "head":
        return f"{('conv_head', 'bn2')[int(rest[0])]}.{parameter}"
    first = int(stage) == 0 and int(position) == 1  # the only block that does not widen
    layers = ("conv_dw", "bn1", "conv_pw", "bn2") if first else ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3")
    place = {0: 0, 1: 1, 3: 2, 4: 3, 6: 4, 7: 5}[int(rest[1])]
    return f"blocks.{group}.{block}.{layers[place]}.{parameter}"


# By stage and position in our network: timm's group and the block in it.
GROUPS: dict[tuple[int, int], tuple[int | str, int]] = {
    (0, 1): (0, 0),
    **{(1, position): (1, position) for position in range(2)},
    **{(2, position): (2, position) for position in range(2)},
    **{(3, position): (3, position) for position in range(3)},
    **{(3, position + 3): (4, position) for position in range(3)},
    **{(4, position): (5, position) for position in range(4)},
    (4, 4): (6, 0),
    (4, 5): ("head", 0),
}


def test_our_lite0_is_that_of_timm_with_the_same_weights(create: Make) -> None:
    ours = Registry.open().load(LITE0, CPU)
    theirs = create("tf_efficientnet_lite0")
    fill(theirs, {timm_name(name): value for name, value in ours.state_dict().items()}, "timm")
    images = photo(224)
    with torch.inference_mode():
        # Padding and batch norm are computed in another order, which changes the last bits of float32.
        torch.testing.assert_close(ours(images), theirs((images * 255 - 127) / 128), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "maps"), [("resnet18", "exact"), ("vit_tiny_patch16_224", "none"), ("convnext_atto", "by gradients")]
)
def test_a_timm_checkpoint_becomes_a_model_of_the_same_logits(
    create: Make, tmp_path: Path, name: str, maps: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = create(name, 3)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "w.safetensors")
    (tmp_path / "names.txt").write_text("cat\ndog\nbird\n")
    files = ["--weights", str(tmp_path / "w.safetensors"), "--classes", str(tmp_path / "names.txt")]
    import_classifier.main(["--name", "mine", "--timm", name, *files, "--output", str(tmp_path / "models")])
    assert f"activation maps: {maps}" in capsys.readouterr().out
    recognizer = load_recognizer(Registry.open(tmp_path / "models"), "mine", CPU)
    described = timm_models.describe(model)
    assert (recognizer.size, recognizer.crop, recognizer.interpolation) == (224, described.crop, "bicubic")
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (described.mean, described.std))
    with torch.inference_mode():
        images = photo(224)
        torch.testing.assert_close(recognizer.network(images), model((images - mean) / std))
    assert recognizer.supports_maps is (maps != "none")
    if recognizer.supports_maps:
        assert recognizer.activation_map(np.zeros((50, 70, 3), np.uint8), 0).shape == (7, 7)


def test_timm_states_the_preprocessing_and_the_names_of_imagenet(create: Make) -> None:
    described = timm_models.describe(create("resnet18"))
    assert described == Description(
        size=224,
        resize="crop",
        crop=0.95,
        interpolation="bicubic",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        classes=Registry.open().entry(LITE0).classes,
    )
    assert timm_models.describe(create("resnet18", 7)).classes is None


def test_a_name_that_timm_lacks_is_rejected_with_similar_ones(create: Make) -> None:
    with pytest.raises(Rejected, match=r"timm has no model 'resnet18b'; similar names: .*resnet18"):
        create("resnet18b")


def test_weights_of_another_number_of_classes_are_rejected(create: Make, tmp_path: Path) -> None:
    save_file(create("resnet18", 5).state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    words = ["--timm", "resnet18", "--weights", str(tmp_path / "w.safetensors"), "--name", "mine"]
    with pytest.raises(Rejected, match=r"timm's resnet18 with 2 classes: fc\.weight has shape \(5, 512\)"):
        import_classifier.main([*words, "--classes", str(tmp_path / "names.txt"), "--output", str(tmp_path / "models")])
    assert not (tmp_path / "models").exists()


def test_a_model_that_cannot_be_exported_is_rejected(create: Make) -> None:
    class Branches(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if bool(x.sum() > 0) else -x

    with pytest.raises(Rejected, match="timm's branches cannot be exported at 16x16 pixels"):
        timm_models.export(Branches(), "branches", 16)


def test_a_crop_that_this_project_lacks_must_be_stated(create: Make) -> None:
    model = create("resnet18", 3)
    cast(Any, model).pretrained_cfg["crop_mode"] = "border"
    with pytest.raises(Rejected, match="needs resize"):
        Description(classes=("a", "b", "c")).over(timm_models.describe(model)).complete("timm's resnet18")
