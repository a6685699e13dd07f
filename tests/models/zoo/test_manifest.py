"""models/zoo/manifest.py: every error of a manifest is reported with its path, and the format of the file is kept."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from models.errors import CorruptCheckpoint
from models.names import ModelKind
from models.zoo.manifest import MANIFEST_FILE, SHIPPED, Manifest, ModelEntry, Package

CLASSIFIER = ModelEntry(
    name="my-classifier",
    file="checkpoints/classifier.safetensors",
    sha256="0" * 64,
    kind=ModelKind.CLASSIFIER,
    architecture="tiny",
    dataset="none",
    classes=("cat", "dog"),
    size=16,
    colors=None,
    classifier=None,
    accuracy={"top1": 0.5},
    command="python -m training.x",
    card="checkpoints/classifier.md",
    results=None,
)
QUANTIZER = replace(
    CLASSIFIER,
    name="my-quantizer",
    kind=ModelKind.COLORCNN,
    classes=(),
    colors=(2, 256),
    classifier="my-classifier",
    results="checkpoints/quantizer.json",
)
MANIFEST = Manifest(
    models=(CLASSIFIER, QUANTIZER),
    defaults={ModelKind.CLASSIFIER: "my-classifier", ModelKind.COLORCNN: "my-quantizer"},
)


def edited(edit: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the content of a valid manifest file after an edit of its JSON."""
    content = json.loads(MANIFEST.to_bytes())
    edit(content)
    return json.dumps(content).encode()


def change(**values: Any) -> Callable[[dict[str, Any]], None]:
    """Return an edit of the fields of the quantizer, models.1."""
    return lambda manifest: manifest["models"][1].update(values)


def test_the_shipped_manifest_is_rewritten_byte_for_byte() -> None:
    data = (SHIPPED / MANIFEST_FILE).read_bytes()
    assert Manifest.read(data).to_bytes() == data


def test_a_manifest_survives_its_file() -> None:
    assert Manifest.read(MANIFEST.to_bytes()) == MANIFEST


def test_optional_fields_stand_in_the_file_where_they_are_given() -> None:
    packaged = replace(CLASSIFIER, package=Package(name="weights", version="1", config={"width": 2}), crop=0.875)
    packaged = replace(packaged, interpolation="lanczos", cam=False)
    manifest = replace(MANIFEST, models=(packaged, QUANTIZER), photograph_classifier="my-classifier")
    manifest = replace(manifest, transfer_classifiers=("my-classifier",))
    content = json.loads(manifest.to_bytes())
    assert content["models"][0]["package"] == {"name": "weights", "version": "1", "config": {"width": 2}}
    assert (content["models"][0]["crop"], content["photograph_classifier"]) == (0.875, "my-classifier")
    assert (content["models"][0]["interpolation"], content["models"][0]["cam"]) == ("lanczos", False)
    assert {"package", "crop", "interpolation", "cam"}.isdisjoint(content["models"][1])
    assert Manifest.read(manifest.to_bytes()) == manifest == manifest.with_model(packaged)
    assert content["transfer_classifiers"] == ["my-classifier"]
    assert {"photograph_classifier", "transfer_classifiers"}.isdisjoint(json.loads(MANIFEST.to_bytes()))


def test_an_image_is_optimized_for_the_chosen_classifier_and_for_the_others() -> None:
    other = replace(CLASSIFIER, name="other")
    manifest = replace(MANIFEST, models=(CLASSIFIER, other, QUANTIZER), transfer_classifiers=("other", "my-classifier"))
    assert manifest.recognizers("my-classifier") == ("my-classifier", "other")
    assert MANIFEST.recognizers("my-classifier") == ("my-classifier",)


def test_an_entry_states_what_its_classifier_sees() -> None:
    views = replace(CLASSIFIER, size=64, crop=0.5, interpolation="lanczos").views
    assert (views.size, views.crop, views.interpolation) == (64, 0.5, "lanczos")
    assert replace(CLASSIFIER, crop=0.5).views.interpolation == "bicubic"
    assert CLASSIFIER.views.interpolation == "bilinear"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: m.pop("defaults"), "defaults is missing"),
        (lambda m: m.update(models={}), "models must be a valid array, not {}"),
        (lambda m: m.update(more=1), "more is unknown"),
        (lambda m: m["models"].insert(0, 5), "models.0 must be an object, not 5"),
        (lambda m: m["models"][1].pop("command"), "models.1.command is missing"),
        (lambda m: m["models"].append(m["models"][0]), "models.2.name must be given to one model only"),
        (lambda m: m["defaults"].update(classifier="x"), "defaults.classifier must name a classifier of the manifest"),
        (lambda m: m["defaults"].update(colorcnn="my-classifier"), "defaults.colorcnn must name a colorcnn"),
        (lambda m: m["defaults"].update(colorcnn=["x"]), "defaults.colorcnn must be a valid string, not ['x']"),
        (lambda m: m["defaults"].update(other="x"), "defaults.other must be 'classifier', 'colorcnn'"),
        (lambda m: m.update(photograph_classifier="my-quantizer"), "photograph_classifier must name a classifier of"),
        (lambda m: m.update(transfer_classifiers=["my-classifier", "x"]), "transfer_classifiers.1 must name a classif"),
        (change(guides=["x"]), "models.1.guides.0 must name another classifier of the same classes and size"),
        (change(guides=["my-classifier"]), "models.1.guides.0 must name another classifier"),
        (change(guides=["my-quantizer"]), "models.1.guides.0 must name another classifier"),
        (lambda m: m["models"][0].update(guides=["my-classifier"]), "models.0.guides.0 must name another classifier"),
        (lambda m: m["models"][0].update(crop=1.5), "models.0.crop must be less than or equal to 1, not 1.5"),
        (lambda m: m["models"][0].update(package={"name": "x"}), "models.0.package.version is missing"),
        (change(crop=0.5), "models.1.crop must be null for a colorcnn"),
        (change(interpolation="bicubic"), "models.1.interpolation must be null for a colorcnn"),
        (lambda m: m["models"][0].update(interpolation="sinc"), "models.0.interpolation must be 'bilinear', 'bicubic'"),
        (lambda m: m["models"][0].update(cam="no"), "models.0.cam must be a valid boolean"),
        (lambda m: m["models"][0].update(classes=[]), "models.0.classes must not be empty for a classifier, not []"),
        (lambda m: m["models"][0].update(colors=[2, 4]), "models.0.colors must be null for a classifier, not (2, 4)"),
        (change(name=""), "models.1.name must be letters, digits"),
        (change(name="../outside"), "models.1.name must be letters, digits"),
        (
            change(kind="other"),
            "models.1.kind must be 'classifier', 'colorcnn', 'colorcnn-published' or 'prefilter', not 'other'",
        ),
        (change(sha256="AB" * 32), "models.1.sha256 must be 64 lower-case hexadecimal digits"),
        (change(file="../elsewhere"), "models.1.file must be a path inside"),
        (change(file="/etc/passwd"), "models.1.file must be a path inside"),
        (change(card=""), "models.1.card must be a path inside"),
        (change(results="/etc/passwd"), "models.1.results must be a path inside"),
        (change(results=1), "models.1.results must be a valid string"),
        (change(size=0), "models.1.size must be greater than or equal to 1, not 0"),
        (change(size="32"), "models.1.size must be a valid integer, not '32'"),
        (change(size=True), "models.1.size must be a valid integer, not True"),
        (change(classes=[1]), "models.1.classes.0 must be a valid string, not 1"),
        (change(colors=[256, 2]), "models.1.colors must be [first, last] with first <= last, not"),
        (change(colors=[2]), "models.1.colors.1 is missing"),
        (change(colors=None), "models.1.colors must be given for a colorcnn"),
        (change(classifier=None), "models.1.classifier must be given for a colorcnn"),
        (change(classifier="my-quantizer"), "models.1.classifier must name a classifier of the manifest"),
        (change(accuracy={"top1": None}), "models.1.accuracy.top1 must be a valid number, not None"),
        (change(accuracy={"top1": float("nan")}), "models.1.accuracy.top1 must be a finite number"),
        (change(parameters=5), "models.1.parameters is unknown"),
    ],
)
def test_a_wrong_manifest_is_rejected_by_field(edit: Callable[[dict[str, Any]], object], message: str) -> None:
    with pytest.raises(CorruptCheckpoint) as caught:
        Manifest.read(edited(edit))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("accepted", "refused"),
    [
        ({"name": "x"}, {"name": "-x"}),
        ({"name": "x" * 100}, {"name": "x" * 101}),
        ({"name": "x_-.9"}, {"name": "x y"}),
        ({"name": "9"}, {"name": "."}),
        ({"sha256": "f" * 64}, {"sha256": "f" * 63}),
        ({"sha256": "9" * 64}, {"sha256": "9" * 65}),
        ({"size": 1}, {"size": 0}),
        ({"crop": 1.0}, {"crop": 1.001}),
        ({"crop": 0.001}, {"crop": 0.0}),
        ({"file": "a/b/c"}, {"file": "a/../b"}),
        ({"file": "..a"}, {"file": ".."}),
    ],
)
def test_the_last_value_of_a_field_is_accepted_and_the_next_is_not(
    accepted: dict[str, Any], refused: dict[str, Any]
) -> None:
    entry = replace(CLASSIFIER, **accepted)
    assert {name: getattr(entry, name) for name in accepted} == accepted
    with pytest.raises(ValidationError):
        replace(CLASSIFIER, **refused)


def test_a_quantizer_may_have_one_number_of_colors() -> None:
    assert replace(QUANTIZER, colors=(4, 4)).colors == (4, 4)
    with pytest.raises(ValidationError, match="first <= last"):
        replace(QUANTIZER, colors=(4, 3))


def test_all_errors_are_reported_at_once() -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["models"][0]["sha256"] = "none"
        manifest["models"][1].update(size=0, more=1)

    with pytest.raises(CorruptCheckpoint) as caught:
        Manifest.read(edited(edit))
    paths = [sentence.partition(" ")[0] for sentence in str(caught.value).split("; ")]
    assert paths == ["models.0.sha256", "models.1.size", "models.1.more"]


@pytest.mark.parametrize(
    ("data", "message"), [(b"{", "the manifest is not valid JSON"), (b"[]", "the manifest must be an object, not []")]
)
def test_a_manifest_that_is_no_json_object_is_rejected(data: bytes, message: str) -> None:
    with pytest.raises(CorruptCheckpoint) as caught:
        Manifest.read(data)
    assert message in str(caught.value)


def test_an_entry_is_validated_at_construction() -> None:
    with pytest.raises(ValidationError, match="must be a path inside the folder"):
        replace(CLASSIFIER, file="../elsewhere")


def test_a_new_model_replaces_that_of_its_name_or_comes_last() -> None:
    better = replace(CLASSIFIER, accuracy={"top1": 0.9})
    other = replace(better, name="other")
    changed = MANIFEST.with_model(better).with_model(other)
    assert changed.models == (better, QUANTIZER, other)
    assert changed.defaults == MANIFEST.defaults


def test_the_first_model_of_a_kind_becomes_its_default() -> None:
    empty = Manifest(models=(), defaults={})
    assert empty.with_model(CLASSIFIER).defaults == {ModelKind.CLASSIFIER: "my-classifier"}


def test_a_model_without_its_classifier_is_not_added() -> None:
    with pytest.raises(CorruptCheckpoint, match=r"models\.0\.classifier must name a classifier"):
        Manifest(models=(), defaults={}).with_model(QUANTIZER)


def test_a_guide_has_the_classes_and_the_size_of_the_quantizer_s_classifier() -> None:
    guide, quantizer = replace(CLASSIFIER, name="guide"), replace(QUANTIZER, guides=("guide",))
    manifest = replace(MANIFEST, models=(CLASSIFIER, guide, quantizer))
    assert Manifest.read(manifest.to_bytes()) == manifest
    for other in (replace(guide, size=32), replace(guide, classes=("dog", "cat"))):
        with pytest.raises(ValidationError, match=r"models\.2\.guides\.0"):
            replace(MANIFEST, models=(CLASSIFIER, other, quantizer))
