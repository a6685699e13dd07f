"""Selection by name, without a network: defaults, unknown names, and what methods support."""

from dataclasses import replace

import numpy as np
import pytest

from models.errors import BadOption, UnknownMethod, UnknownModel
from models.names import DESCENT_METHODS, LEARNED_METHODS, ModelKind
from models.quantizers.classical.catalog import CLASSICAL
from models.rgb import Pixels
from models.zoo.manifest import ModelEntry
from service.inference.catalog import Catalog
from service.inference.selection import MethodOptions, Selection


def entry(name: str, kind: ModelKind, colors: int | None = None) -> ModelEntry:
    """A classifier, a quantizer trained against the classifier "teacher", or a published one for so many colors."""
    quantizes = kind is not ModelKind.CLASSIFIER
    return ModelEntry(
        name=name,
        file=f"{name}.safetensors",
        sha256="0" * 64,
        kind=kind,
        architecture="none",
        dataset="none",
        classes=() if quantizes else ("cat", "dog"),
        size=16,
        colors=((colors, colors) if colors else (2, 256)) if quantizes else None,
        classifier="teacher" if quantizes else None,
        accuracy={},
        command="none",
        card=f"{name}.md",
        results=None,
    )


ENTRIES = (
    entry("teacher", ModelKind.CLASSIFIER),
    entry("outsider", ModelKind.CLASSIFIER),
    entry("first", ModelKind.COLORCNN),
    entry("second", ModelKind.COLORCNN),
)
DEFAULTS = {ModelKind.CLASSIFIER: "outsider", ModelKind.COLORCNN: "first"}
CATALOG = Catalog(ENTRIES, DEFAULTS, frozenset({"second"}))

_TWO = entry("two", ModelKind.COLORCNN_PUBLISHED, colors=2)
_FOR_OUTSIDER = replace(entry("two-outsider", ModelKind.COLORCNN_PUBLISHED, colors=2), classifier="outsider")
WITH_PUBLISHED = Catalog((*ENTRIES, _TWO, _FOR_OUTSIDER), DEFAULTS)


def test_the_default_method_comes_first() -> None:
    assert CATALOG.methods() == (*LEARNED_METHODS, *DESCENT_METHODS, *CLASSICAL, "nearest")
    assert CATALOG.methods()[0] == "colorcnn"


def test_the_classifier_of_a_network_is_the_one_it_was_trained_against() -> None:
    assert CATALOG.select("colorcnn", None, 4) == Selection("colorcnn", "first", "teacher")


def test_a_refined_image_follows_the_guides_of_the_network_unless_it_is_a_code() -> None:
    catalog = replace(CATALOG, entries=(*ENTRIES[:3], replace(ENTRIES[3], guides=("outsider",))))
    assert catalog.select("colorcnn_refined", "second", 4).recognizers == ("teacher", "outsider")
    assert catalog.select("colorcnn_refined", "second", 4, transferable=False).recognizers == ("teacher",)
    assert catalog.select("colorcnn", "second", 4).recognizers == ()
    assert catalog.digest != CATALOG.digest


def test_the_classifier_of_a_classical_method_is_the_default_one() -> None:
    assert CATALOG.classifier(None).name == "outsider"
    assert CATALOG.select("octree", None, 4) == Selection("octree", None, "outsider")


@pytest.mark.parametrize("method", LEARNED_METHODS)
def test_every_learned_method_uses_the_same_networks(method: str) -> None:
    recognizers = ("teacher",) if method == "colorcnn_refined" else ()
    assert CATALOG.select(method, "second", 3) == Selection(method, "second", "teacher", recognizers=recognizers)


@pytest.mark.parametrize(("kind", "name"), [(ModelKind.CLASSIFIER, "first"), (ModelKind.COLORCNN, "nobody")])
def test_a_default_must_be_a_model_of_its_kind(kind: ModelKind, name: str) -> None:
    with pytest.raises(UnknownModel, match=name):
        Catalog(ENTRIES, {kind: name})


def test_one_model_of_each_kind_is_the_default() -> None:
    assert [entry.name for entry in ENTRIES if CATALOG.is_default(entry.name)] == ["outsider", "first"]


def test_an_empty_catalog_has_no_default() -> None:
    with pytest.raises(UnknownModel, match="no default classifier model"):
        Catalog().select("octree", None, 4)


ALONE = Catalog((entry("teacher", ModelKind.CLASSIFIER),), {ModelKind.CLASSIFIER: "teacher"})


def test_a_classifier_alone_has_the_methods_without_a_network() -> None:
    classical = tuple(method for method in CLASSICAL if method != "halftone")
    assert ALONE.methods() == ("halftone", *DESCENT_METHODS, *classical, "nearest")
    assert replace(ALONE, photographs=True).methods() == (*DESCENT_METHODS, *CLASSICAL, "nearest")
    with pytest.raises(UnknownMethod, match="no method 'colorcnn'; the methods are halftone, "):
        ALONE.select_by_picture("colorcnn", None, 4)


def test_every_image_is_a_photograph_for_a_classifier_alone() -> None:
    selections = replace(ALONE, photographs=True).select_by_picture(None, None, 4, fidelity=0.5)
    refined = Selection("refined_fast", "teacher", "teacher", 0.5, ("teacher",))
    assert selections.of(image(1, 1)) == selections.of(image(900, 900)) == refined
    with pytest.raises(UnknownModel, match="no classifier model 'first'; loaded are teacher"):
        replace(ALONE, photographs=True).select_by_picture(None, "first", 4)


def test_a_classifier_alone_gives_halftones_where_photographs_have_no_defaults_of_their_own() -> None:
    selections = ALONE.select_by_picture(None, None, 4)
    assert selections.small == selections.photograph == Selection("halftone", None, "teacher")
    with pytest.raises(UnknownModel, match="no model 'first'; loaded are teacher"):
        ALONE.select_by_picture(None, "first", 4)
    with pytest.raises(BadOption, match="'halftone' does not support `fidelity`"):
        ALONE.select_by_picture(None, None, 4, fidelity=0.5)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(
        UnknownMethod, match="colorcnn, colorcnn_one_pass, colorcnn_refined, refined_fast, refined, median_cut"
    ):
        CATALOG.select("magic", None, 4)
    with pytest.raises(UnknownModel, match="first, second"):
        CATALOG.select("colorcnn", "teacher", 4)
    with pytest.raises(UnknownModel, match="teacher, outsider"):
        CATALOG.classifier("first")


def test_a_classical_method_uses_no_model() -> None:
    with pytest.raises(BadOption, match="'octree' does not support `model`; leave it out, or ask for 'colorcnn', "):
        CATALOG.select("octree", "first", 4)
    with pytest.raises(UnknownModel):
        CATALOG.select("octree", "nobody", 4)


def test_fidelity_is_for_networks_that_support_it() -> None:
    assert CATALOG.select("colorcnn", "second", 4, fidelity=0.25) == Selection("colorcnn", "second", "teacher", 0.25)
    assert CATALOG.select("colorcnn", "first", 4, fidelity=0.0) == Selection("colorcnn", "first", "teacher")
    with pytest.raises(BadOption, match=r"'first' does not support `fidelity`; leave it out\. Models that do: second"):
        CATALOG.select("colorcnn", None, 4, fidelity=0.25)


@pytest.mark.parametrize("method", ["colorcnn_one_pass", "colorcnn_refined", "colorcnn_published", *CLASSICAL])
def test_fidelity_is_for_the_method_with_a_search(method: str) -> None:
    with pytest.raises(BadOption, match=f"{method}' does not support `fidelity`; leave it out, or ask for 'colorcnn'"):
        WITH_PUBLISHED.select(method, None, 4, fidelity=0.25)


def test_fidelity_is_a_fraction() -> None:
    with pytest.raises(ValueError, match=r"not 1\.5"):
        Selection("colorcnn", "second", "teacher", 1.5)


def image(height: int, width: int) -> Pixels:
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize("method", ["colorcnn", "colorcnn_one_pass", "colorcnn_published", "halftone"])
@pytest.mark.parametrize("option", [{"transferable": False}, {"dither": True}, {"dither": False}])
def test_options_of_refined_methods_are_for_them_alone(method: str, option: dict[str, bool]) -> None:
    [name] = option
    others = "'colorcnn_refined', " if name == "transferable" else ""
    expected = f"'{method}' does not support `{name}`; leave it out, or ask for {others}'refined_fast'"
    with pytest.raises(BadOption, match=expected):
        WITH_PUBLISHED.select(method, None, 2, **option)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", DESCENT_METHODS)
def test_a_refined_method_needs_classifiers_alone(method: str) -> None:
    catalog = replace(CATALOG, photograph_classifier="teacher", transfer_classifiers=("outsider", "teacher"))
    default = catalog.select(method, None, 4, fidelity=0.5, dither=False)
    assert default == Selection(method, "teacher", "teacher", 0.5, ("teacher", "outsider"), dither=False)
    assert default.on_device
    assert catalog.select(method, "outsider", 4).recognizers == ("outsider", "teacher")
    assert catalog.select(method, "outsider", 4, transferable=False).recognizers == ("outsider",)
    assert CATALOG.select(method, None, 4) == Selection(method, "outsider", "outsider", recognizers=("outsider",))
    with pytest.raises(UnknownModel, match="no classifier model 'first'; loaded are teacher, outsider"):
        catalog.select(method, "first", 4)


def test_refinement_in_one_pass_uses_the_prefilter_of_the_classifier() -> None:
    prefilters = (entry("for-teacher", ModelKind.PREFILTER), replace(entry("x", ModelKind.PREFILTER), classifier="y"))
    catalog = replace(
        CATALOG, entries=(*ENTRIES, *prefilters), photograph_classifier="teacher", transfer_classifiers=("outsider",)
    )
    assert catalog.methods()[3:6] == (*DESCENT_METHODS, "refined_one_pass")
    selection = catalog.select("refined_one_pass", None, 4, fidelity=0.5, dither=True)
    expected = Selection("refined_one_pass", "teacher", "teacher", 0.5, ("teacher",), True, "for-teacher")
    assert selection == expected and selection.on_device
    with pytest.raises(BadOption, match=r"'outsider' has no prefilter.*'refined_fast', or .* classifiers: teacher, y"):
        catalog.select("refined_one_pass", "outsider", 4)
    with pytest.raises(BadOption, match="does not support `transferable`"):
        catalog.select("refined_one_pass", None, 4, transferable=False)
    with pytest.raises(UnknownMethod):
        CATALOG.select("refined_one_pass", None, 4)


def test_transfer_classifiers_must_be_classifiers() -> None:
    with pytest.raises(UnknownModel, match="first"):
        replace(CATALOG, transfer_classifiers=("teacher", "first"))


@pytest.mark.parametrize(
    ("shape", "method"), [((32, 90), "colorcnn"), ((33, 33), "refined_fast"), ((90, 33), "refined_fast")]
)
def test_the_default_method_is_refined_fast_above_twice_the_size_of_the_default_network(
    shape: tuple[int, int], method: str
) -> None:
    selections = replace(CATALOG, photographs=True).select_by_picture(None, None, 4)
    assert selections.of(image(*shape)) == CATALOG.select(method, None, 4)


def test_photographs_have_no_defaults_of_their_own_unless_asked_for() -> None:
    catalog = replace(CATALOG, photograph_classifier="teacher")
    large = image(900, 900)
    assert catalog.select_by_picture(None, None, 4).of(large) == CATALOG.select("colorcnn", None, 4)
    assert catalog.select_by_picture("octree", None, 4).of(large).classifier == "outsider"
    assert catalog.classifier_by_picture(None).of(large).name == "outsider"
    assert not catalog.is_default("teacher")


@pytest.mark.parametrize(
    ("method", "model", "fidelity", "expected"),
    [
        ("octree", None, 0, "octree"),
        ("colorcnn", None, 0, "colorcnn"),
        (None, "second", 0, "colorcnn"),
        (None, "second", 0.5, "colorcnn"),
        (None, "outsider", 0, "refined_fast"),
        ("refined", None, 0.5, "refined"),
    ],
)
def test_a_named_method_or_model_decides_for_every_image(
    method: str | None, model: str | None, fidelity: float, expected: str
) -> None:
    selections = replace(CATALOG, photographs=True).select_by_picture(method, model, 4, fidelity=fidelity)
    assert selections.of(image(9, 9)) == selections.of(image(900, 900))
    assert selections.small == CATALOG.select(expected, model, 4, fidelity=fidelity)


def test_a_fidelity_alone_goes_to_the_default_method_of_the_picture() -> None:
    catalog = replace(CATALOG, photographs=True, defaults={**DEFAULTS, ModelKind.COLORCNN: "second"})
    selections = catalog.select_by_picture(None, None, 4, fidelity=0.5)
    assert (selections.small.method, selections.small.fidelity) == ("colorcnn", 0.5)
    assert (selections.photograph.method, selections.photograph.fidelity) == ("refined_fast", 0.5)


def test_a_fidelity_that_the_default_network_lacks_goes_to_refined_fast() -> None:
    selections = replace(CATALOG, photographs=True).select_by_picture(None, None, 4, fidelity=0.5)
    assert selections.small == selections.photograph == CATALOG.select("refined_fast", None, 4, fidelity=0.5)


@pytest.mark.parametrize(
    "option", [{"transferable": False}, {"dither": True}, {"dither": False}, {"palette": ((0, 0, 0), (9, 9, 9))}]
)
def test_an_option_of_refined_methods_alone_selects_refined_fast_for_every_image(option: MethodOptions) -> None:
    selections = replace(CATALOG, photographs=True).select_by_picture(None, None, 4, **option)
    assert selections.small == selections.photograph
    assert selections.small.method == "refined_fast"
    with pytest.raises(BadOption, match="'colorcnn' does not support"):
        CATALOG.select_by_picture(None, "first", 4, **option)


def test_photographs_have_a_default_classifier_of_their_own() -> None:
    catalog = replace(CATALOG, photographs=True, photograph_classifier="teacher")
    small, large = image(32, 32), image(33, 33)
    entries = catalog.classifier_by_picture(None)
    assert (entries.of(small).name, entries.of(large).name) == ("outsider", "teacher")
    assert catalog.classifier_by_picture("outsider").of(large).name == "outsider"
    for method in (None, "octree"):
        assert catalog.select_by_picture(method, None, 4).of(large).classifier == "teacher"
    assert catalog.select_by_picture("octree", None, 4).of(small).classifier == "outsider"
    with_network = replace(catalog, photograph_classifier="outsider").select_by_picture("colorcnn", None, 4)
    assert with_network.of(large).classifier == "teacher"  # the one that the network was trained against
    assert [entry.name for entry in ENTRIES if catalog.is_default(entry.name)] == ["teacher", "outsider", "first"]


def test_the_classifier_of_photographs_must_be_one() -> None:
    with pytest.raises(UnknownModel, match="first"):
        replace(CATALOG, photograph_classifier="first")


def test_a_default_method_checks_the_other_options_before_the_image_is_known() -> None:
    with pytest.raises(UnknownModel, match="nobody"):
        CATALOG.select_by_picture(None, "nobody", 4)
    with pytest.raises(BadOption, match="fidelity"):
        CATALOG.select_by_picture(None, None, 4, fidelity=0.5)


def test_published_networks_are_a_method_of_their_own() -> None:
    assert WITH_PUBLISHED.methods()[:6] == (*LEARNED_METHODS, *DESCENT_METHODS, "colorcnn_published")
    selection = WITH_PUBLISHED.select("colorcnn_published", None, 2)
    assert selection == WITH_PUBLISHED.select("colorcnn_published", "two", 2)
    assert selection == Selection("colorcnn_published", "two", "teacher")
    assert selection.on_device and not WITH_PUBLISHED.select("octree", None, 2).on_device


def test_a_published_network_is_found_by_its_classifier() -> None:
    assert WITH_PUBLISHED.select("colorcnn_published", None, 2, "outsider").model == "two-outsider"
    with pytest.raises(BadOption, match="there is one for none"):
        WITH_PUBLISHED.select("colorcnn_published", None, 2, "nobody")


def test_a_published_network_serves_one_number_of_colors() -> None:
    with pytest.raises(BadOption, match="there is one for 2"):
        WITH_PUBLISHED.select("colorcnn_published", None, 3)


def test_colorcnn_published_rejects_networks_of_another_kind() -> None:
    with pytest.raises(UnknownModel, match="loaded are two, two-outsider"):
        WITH_PUBLISHED.select("colorcnn_published", "first", 2)
