"""The engine of the service, around tiny networks with fresh weights: loading, defaults, results."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.errors import CorruptCheckpoint, UnknownModel
from models.evaluation.compare import Setting
from models.names import DESCENT_METHODS, LEARNED_METHODS, ModelKind
from models.networks.classifiers import build_classifier
from models.networks.colorcnn import ColorCNN, ColorCNNConfig, build_colorcnn
from models.networks.published import PublishedColorCNN, PublishedConfig
from models.palette_image import PaletteImage
from models.quantizers.classical.catalog import CLASSICAL
from models.quantizers.learned import search
from models.quantizers.learned.colorcnn import LearnedQuantizer, load_quantizer
from models.quantizers.learned.refined import RefinedQuantizer
from models.zoo.manifest import ModelEntry
from models.zoo.registry import Registry
from service.benchmark.loader import ModelLoader
from service.errors import NotReady
from service.inference.model_engine import ModelEngine
from service.inference.networks import Network, NoSuchDevice, load_network, pick_device
from service.inference.selection import Selection
from tests.service.images import ramp
from tests.service.model_folders import CLASSES, CONFIG, save


def lively(network: ColorCNN) -> ColorCNN:
    """Scale fresh weights up: as they are, they draw hardly any structure and classify every image alike."""
    network.decoder.out.weight.data *= 150
    network.encoder.head.weight.data *= 1000
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classifiers, the second one the default, and two quantizers trained against the first.

    The second quantizer has two structure scales, one of them 0.
    """
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    colorcnn = ColorCNNConfig(encoder=CONFIG, widths=(2, 2, 2, 2), features=2, hidden=2)
    entries = [
        save(folder, "teacher", ModelKind.CLASSIFIER, build_classifier(CONFIG)),
        save(folder, "outsider", ModelKind.CLASSIFIER, build_classifier(CONFIG)),
        save(folder, "first", ModelKind.COLORCNN, build_colorcnn(colorcnn)),
        save(
            folder, "second", ModelKind.COLORCNN, lively(build_colorcnn(replace(colorcnn, structure_scales=(0.0, 1.0))))
        ),
    ]
    defaults = {"classifier": "outsider", "colorcnn": "first"}
    (folder / "manifest.json").write_text(json.dumps({"models": entries, "defaults": defaults}))
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> ModelEngine:
    engine = ModelEngine(folder, device="cpu")
    engine.load()
    return engine


def test_every_model_of_the_manifest_is_loaded(engine: ModelEngine) -> None:
    assert [entry.name for entry in engine.catalog.entries] == ["teacher", "outsider", "first", "second"]
    assert engine.catalog.methods() == (*LEARNED_METHODS, *DESCENT_METHODS, *CLASSICAL, "nearest")
    assert engine.device == "cpu"


@pytest.mark.parametrize("every_shape", [True, False])
def test_loading_warms_up_with_the_shapes_of_requests_where_kernels_depend_on_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch, every_shape: bool
) -> None:
    seen: list[tuple[tuple[int, ...], int]] = []
    quantize, quantize_batch = LearnedQuantizer.quantize, LearnedQuantizer.quantize_batch

    def recording(self: LearnedQuantizer, pixels: NDArray[np.uint8], colors: int) -> PaletteImage:
        seen.append((pixels.shape, colors))
        return quantize(self, pixels, colors)

    def recording_batch(self: LearnedQuantizer, images: NDArray[np.uint8], colors: int) -> list[PaletteImage]:
        seen.append((images.shape, colors))
        return quantize_batch(self, images, colors)

    monkeypatch.setattr(LearnedQuantizer, "quantize", recording)
    monkeypatch.setattr(LearnedQuantizer, "quantize_batch", recording_batch)
    monkeypatch.setattr("service.inference.model_engine.selects_kernels_by_shape", lambda _: every_shape)
    ModelEngine(folder, device="cpu").load()
    if not every_shape:
        assert seen == [((1, 16, 16, 3), 2)] * 2  # two networks
        return
    for colors in (2, 256):
        assert seen.count(((1, 16, 16, 3), colors)) == seen.count(((256, 512, 3), colors)) == 2
    assert seen.count(((2, 16, 16, 3), 2)) == seen.count(((64, 16, 16, 3), 2)) == 2


def test_networks_that_requests_seldom_name_are_loaded_at_their_first_use(folder: Path) -> None:
    engine = ModelEngine(folder, device="cpu", load="defaults")
    engine.load()
    assert engine.loaded() == {"outsider", "first", "teacher"}  # defaults, and what the default was trained against
    assert engine.catalog.supporting_fidelity == {"second"}
    selection = engine.catalog.select("colorcnn", "second", 4)
    assert engine.native_size(selection) == 16 and "second" not in engine.loaded()
    assert engine.quantize(ramp(), 4, selection).colors <= 4
    assert engine.loaded() == {"outsider", "first", "teacher", "second"}


def test_a_quantizer_uses_the_module_of_its_classifier_where_the_weights_are_equal(
    folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    teacher, config = build_classifier(CONFIG), ColorCNNConfig(encoder=CONFIG, widths=(2,) * 4, features=2, hidden=2)
    same, other = build_colorcnn(config), build_colorcnn(config)
    same.encoder.load_state_dict(teacher.state_dict())
    entries = [
        save(tmp_path, "teacher", ModelKind.CLASSIFIER, teacher),
        save(tmp_path, "same", ModelKind.COLORCNN, same),
        save(tmp_path, "other", ModelKind.COLORCNN, other),
    ]
    defaults = {"classifier": "teacher", "colorcnn": "same"}
    (tmp_path / "manifest.json").write_text(json.dumps({"models": entries, "defaults": defaults}))
    engine = ModelEngine(tmp_path, device="cpu")
    engine.load()
    networks = cast(Any, engine)._networks
    assert networks["same"].network.encoder is networks["teacher"].network
    assert networks["other"].network.encoder is not networks["teacher"].network


def test_a_view_needs_no_network(folder: Path) -> None:
    engine = ModelEngine(folder, device="cpu", load="outsider")
    engine.load()
    assert engine.view(ramp(), "teacher").shape == (16, 16, 3)
    assert engine.loaded() == {"outsider"}


def test_a_file_that_changed_since_the_start_is_an_error_of_its_requests_alone(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    engine = ModelEngine(tmp_path, device="cpu", load="outsider")
    engine.load()
    (tmp_path / "teacher.safetensors").unlink()
    with pytest.raises(NotReady, match="The file of the model 'teacher' has changed since the start"):
        engine.predict([ramp(16, 16)], 1, "teacher")
    assert engine.predict([ramp(16, 16)], 1, "outsider")


def test_the_networks_of_the_start_can_be_named(folder: Path) -> None:
    engine = ModelEngine(folder, device="cpu", load="second,teacher")
    engine.load()
    assert engine.loaded() == {"second", "teacher"}
    with pytest.raises(UnknownModel, match="nobody"):
        ModelEngine(folder, device="cpu", load="second,nobody").load()


def test_a_network_is_loaded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []

    def counted(registry: Registry, entry: ModelEntry, device: torch.device) -> Network:
        loads.append(entry.name)
        return load_network(registry, entry, device)

    monkeypatch.setattr("service.inference.model_engine.load_network", counted)
    engine = ModelEngine(folder, device="cpu", load="outsider")
    engine.load()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: engine.predict([ramp(16, 16)], 1, "teacher"), range(4)))
    assert sorted(loads) == ["outsider", "teacher"]


def test_a_folder_with_a_classifier_alone_serves(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"models": manifest["models"][:1], "defaults": {"classifier": "teacher"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "teacher.safetensors").write_bytes((folder / "teacher.safetensors").read_bytes())
    engine = ModelEngine(tmp_path, device="cpu", load="defaults")
    engine.load()
    assert engine.loaded() == {"teacher"}
    for method in (None, *DESCENT_METHODS):
        selection = engine.catalog.select_by_picture(method, None, 4).of(ramp())
        assert selection == Selection(method or "refined_fast", "teacher", "teacher", recognizers=("teacher",))
        assert engine.quantize(ramp(), 4, selection).colors <= 4
    assert engine.predict([engine.view(ramp(), "teacher")], 1, selection.classifier)


@pytest.fixture(scope="module")
def two_readers(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `outsider` as the classifier of photographs, and `teacher` as the other transfer classifier."""
    copy = tmp_path_factory.mktemp("readers")
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"photograph_classifier": "outsider", "transfer_classifiers": ["outsider", "teacher"]}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def test_the_default_for_photographs_is_loaded_at_the_start(two_readers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[RefinedQuantizer] = []
    monkeypatch.setattr("service.inference.model_engine.selects_kernels_by_shape", lambda _: True)
    monkeypatch.setattr("service.inference.model_engine.warm_refined", warmed.append)
    engine = ModelEngine(two_readers, device="cpu", load="defaults", default_classifier="outsider")
    engine.load()
    assert engine.loaded() == {"outsider", "teacher", "first"}
    assert [len(quantizer.recognizers) for quantizer in warmed] == [2]


def test_a_refined_image_is_optimized_for_the_selected_classifiers(two_readers: Path) -> None:
    engine = ModelEngine(two_readers, device="cpu")
    engine.load()
    photo = ramp(90, 65)
    select = partial(engine.catalog.select, "refined_fast", None, 3)
    both, alone, faithful = select(), select(transferable=False), select(fidelity=1.0)

    assert (both.recognizers, alone.recognizers) == (("outsider", "teacher"), ("outsider",))
    images = [engine.quantize(photo, 3, selection) for selection in (both, alone, faithful)]
    assert images[0] == engine.quantize(photo, 3, both)  # equal requests get equal bytes
    assert images[0] != images[1]
    assert images[2] == CLASSICAL["halftone"].quantize(photo, 3)
    assert engine.native_size(both) is None
    assert engine.quantize(photo, 3, select(dither=False)) != images[0]
    assert engine.quantize(photo, 3, engine.catalog.select("refined", None, 3)) != images[0]


def test_a_benchmark_refines_for_the_same_classifiers(two_readers: Path) -> None:
    for method, quick in (("refined_fast", True), ("refined", False)):
        quantizer = ModelLoader(two_readers, "cpu").quantizer(Setting(method, "outsider"))
        assert isinstance(quantizer, RefinedQuantizer) and quantizer.quick is quick
        assert [recognizer.classes for recognizer in quantizer.recognizers] == [tuple(CLASSES)] * 2


def test_a_benchmark_refuses_weights_that_are_newer_than_the_start(two_readers: Path, tmp_path: Path) -> None:
    """Its worker process reads the folder later than the service, which has announced the hashes."""
    copy = tmp_path / "models"
    shutil.copytree(two_readers, copy)
    announced = {entry.name: entry.sha256 for entry in Registry.open(copy).available()}
    loader = ModelLoader(copy, "cpu").pinned(announced)
    assert loader.classifier("teacher").predict(ramp(16, 16))

    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["models"][1] |= save(copy, "outsider", ModelKind.CLASSIFIER, build_classifier(CONFIG))
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert loader.classifier("teacher").predict(ramp(16, 16))  # in memory
    for load in (partial(loader.classifier, "outsider"), partial(loader.quantizer, Setting("colorcnn", "first"))):
        with pytest.raises(NotReady, match="The folder of the models has changed since the start"):
            load()
    assert ModelLoader(copy, "cpu").classifier("outsider").predict(ramp(16, 16))


def test_a_benchmark_refuses_a_file_that_was_damaged_since_the_start(two_readers: Path, tmp_path: Path) -> None:
    copy = tmp_path / "models"
    shutil.copytree(two_readers, copy)
    (copy / "teacher.safetensors").write_bytes(b"damaged")
    with pytest.raises(NotReady, match="The folder of the models has changed since the start"):
        ModelLoader(copy, "cpu").classifier("teacher")


def test_defaults_are_those_of_the_manifest(engine: ModelEngine) -> None:
    assert engine.catalog.defaults == {ModelKind.CLASSIFIER: "outsider", ModelKind.COLORCNN: "first"}
    assert engine.catalog.supporting_fidelity == {"second"}


def test_defaults_can_be_set(folder: Path) -> None:
    engine = ModelEngine(folder, device="cpu", default_classifier="teacher", default_colorcnn="second")
    engine.load()

    assert engine.catalog.classifier(None).name == "teacher"
    assert engine.catalog.select("colorcnn", None, 4).model == "second"


@pytest.mark.parametrize(
    ("defaults", "classifier"),
    [
        ({}, "outsider"),
        ({"default_classifier": "teacher"}, "teacher"),
        ({"default_classifier": "teacher", "default_photograph_classifier": "outsider"}, "outsider"),
    ],
)
def test_a_default_classifier_that_is_set_reads_photographs_too(
    folder: Path, defaults: dict[str, Any], classifier: str
) -> None:
    engine = ModelEngine(folder, device="cpu", photograph_defaults=True, **defaults)
    engine.load()

    photograph = np.zeros((33, 33, 3), np.uint8)
    assert engine.catalog.classifier_by_picture(None).of(photograph).name == classifier


@pytest.mark.parametrize(
    "defaults",
    [
        {"default_classifier": "first"},
        {"default_photograph_classifier": "first"},
        {"default_colorcnn": "teacher"},
        {"default_colorcnn": "nobody"},
    ],
)
def test_an_unknown_default_fails_the_start(folder: Path, defaults: dict[str, Any]) -> None:
    with pytest.raises(UnknownModel, match=next(iter(defaults.values()))):
        ModelEngine(folder, device="cpu", **defaults).load()


@pytest.mark.parametrize(("method", "model"), [("colorcnn", "second"), ("median_cut", None)])
def test_quantize_respects_the_size_and_the_number_of_colors(
    engine: ModelEngine, method: str, model: str | None
) -> None:
    image = engine.quantize(ramp(), 5, engine.catalog.select(method, model, 5))

    assert (image.height, image.width) == ramp().shape[:2]
    assert image.colors <= 5


def test_one_pass_is_the_same_network_without_its_search(engine: ModelEngine, folder: Path) -> None:
    selection = engine.catalog.select("colorcnn_one_pass", "second", 3)
    assert selection == Selection("colorcnn_one_pass", "second", "teacher")
    assert engine.native_size(selection) == 16 and not engine._quantizer(selection).search  # type: ignore[attr-defined]
    assert engine._quantizer(engine.catalog.select("colorcnn", "second", 3)).search  # type: ignore[attr-defined]
    loaded = [ModelLoader(folder, "cpu").quantizer(Setting(name, "second")) for name in ("colorcnn", selection.method)]
    assert [quantizer.search for quantizer in loaded] == [True, False]  # type: ignore[attr-defined]


def test_refined_is_the_same_network_with_each_image_refined(engine: ModelEngine, folder: Path) -> None:
    selection = engine.catalog.select("colorcnn_refined", "second", 3)
    assert selection == Selection("colorcnn_refined", "second", "teacher")
    loaded = [ModelLoader(folder, "cpu").quantizer(Setting(name, "second")) for name in ("colorcnn", selection.method)]
    plain = engine._quantizer(engine.catalog.select("colorcnn", "second", 3))
    for refined, other in ((engine._quantizer(selection), plain), (loaded[1], loaded[0])):
        assert isinstance(refined, LearnedQuantizer) and refined.search and refined.refinement
        assert isinstance(other, LearnedQuantizer) and not other.refinement
        assert refined.quantize(ramp(), 3) == engine.quantize(ramp(), 3, selection)


def test_full_fidelity_is_the_k_means_that_the_network_starts_from(
    engine: ModelEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_FLOOR", 0.0)  # every probability of an untrained classifier is below the usual one
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    machine, human = [engine.catalog.select("colorcnn", "second", 3, fidelity=fidelity) for fidelity in (0.0, 1.0)]
    kmeans = load_quantizer(Registry.open(folder), "second", torch.device("cpu"))
    kmeans.network.config = replace(kmeans.network.config, structure_scales=(0.0,))

    quantized = [engine.quantize(image, 3, human) for image in images]
    assert quantized == [kmeans.quantize(image, 3) for image in images]
    assert quantized != [engine.quantize(image, 3, machine) for image in images]


def test_predictions_and_activation_maps_come_from_the_classifier(engine: ModelEngine) -> None:
    view = engine.view(ramp(), "teacher")
    (ranking,) = engine.predict([view], 3, "teacher")
    heat = engine.activation_map(view, 2, "teacher")

    assert view.shape == (16, 16, 3)
    assert {prediction.label for prediction in ranking} == set(CLASSES)
    assert sum(prediction.probability for prediction in ranking) == pytest.approx(1)
    assert (heat.ndim, heat.dtype) == (2, np.dtype(np.float32))
    assert 0 <= heat.min() <= heat.max() <= 1


@pytest.mark.parametrize(("model", "fidelity"), [("first", 0.0), ("second", 0.0), ("second", 1.0)])
def test_a_batch_is_quantized_as_its_images_are(engine: ModelEngine, model: str, fidelity: float) -> None:
    selection = engine.catalog.select("colorcnn", model, 4, fidelity=fidelity)
    images = [ramp(16, 16), ramp(40, 24), ramp(16, 16) // 2, ramp(9, 50), ramp(16, 16) // 3]

    assert engine.native_size(selection) == 16
    for image, quantized in zip(images, engine.quantize_batch(images, 4, selection), strict=True):
        # A batch of another size may round differently, which may turn a tie.
        assert np.mean(quantized.render() != engine.quantize(image, 4, selection).render()) < 0.02


def test_a_batch_is_classified_as_its_images_are(engine: ModelEngine) -> None:
    views = [ramp(16, 16) // part for part in (1, 2, 3)]

    for view, ranking in zip(views, engine.predict(views, 3, "teacher"), strict=True):
        (alone,) = engine.predict([view], 3, "teacher")
        assert [one.index for one in ranking] == [one.index for one in alone]
        assert [one.probability for one in ranking] == pytest.approx([one.probability for one in alone])


def test_results_shared_by_several_models_are_listed_once(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["models"][:3]:
        entry["results"] = "measured.json"
    measured = {"dataset": "none", "sha256": {entry["name"]: entry["sha256"] for entry in manifest["models"]}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "measured.json").write_text(json.dumps(measured))
    engine = ModelEngine(tmp_path, device="cpu")
    engine.load()

    assert engine.results() == (measured,)


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_damaged_checkpoint_fails_the_start(folder: Path, tmp_path: Path, name: str) -> None:
    """Also one that would be loaded later."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / f"{name}.safetensors").write_bytes(b"damaged")

    with pytest.raises(CorruptCheckpoint, match=name):
        ModelEngine(tmp_path, device="cpu", load="defaults").load()


def test_auto_is_cuda_where_there_is_cuda() -> None:
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_missing_device_is_rejected() -> None:
    with pytest.raises(NoSuchDevice, match=r"cuda:99, but torch sees \d+"):
        pick_device("cuda:99")


def test_published_networks_are_loaded_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    colorcnn = ColorCNNConfig(encoder=CONFIG, widths=(2, 2, 2, 2), features=2, hidden=2)
    entries = [
        save(tmp_path, "teacher", ModelKind.CLASSIFIER, build_classifier(CONFIG)),
        save(tmp_path, "ours", ModelKind.COLORCNN, build_colorcnn(colorcnn)),
        save(tmp_path, "two", ModelKind.COLORCNN_PUBLISHED, PublishedColorCNN(PublishedConfig(colors=2, width=2))),
    ]
    defaults = {"classifier": "teacher", "colorcnn": "ours", "colorcnn-published": "two"}
    (tmp_path / "manifest.json").write_text(json.dumps({"models": entries, "defaults": defaults}))
    engine = ModelEngine(tmp_path, device="cpu")
    engine.load()

    selection = engine.catalog.select("colorcnn_published", None, 2)
    quantized = engine.quantize(ramp(), 2, selection)
    assert quantized.colors <= 2
    assert (engine.native_size(selection), engine.native_size(engine.catalog.select("colorcnn", "ours", 2))) == (
        None,
        16,
    )
    with pytest.raises(ValueError, match="one image at a time"):
        engine.quantize_batch([ramp()], 2, selection)
    quantizer = ModelLoader(tmp_path, "cpu").quantizer(Setting(selection.method, selection.model))
    assert quantizer.quantize(ramp(), 2) == quantized
