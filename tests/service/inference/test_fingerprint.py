"""The digest of a catalog: other weights, geometry or defaults change it, descriptions do not."""

from dataclasses import replace
from typing import Any

import pytest

from models.names import ModelKind
from service.inference.catalog import Catalog
from tests.service.fakes import ENTRIES, FakeEngine

CATALOG = FakeEngine.catalog


def changed(**fields: Any) -> Catalog:
    """Return the catalog with other fields of its first model, a classifier."""
    return replace(CATALOG, entries=(replace(ENTRIES[0], **fields), *ENTRIES[1:]))


def test_a_digest_has_16_digits_and_does_not_depend_on_the_order_of_models() -> None:
    assert len(CATALOG.digest) == 16 and int(CATALOG.digest, 16)
    assert replace(CATALOG, entries=ENTRIES[::-1]).digest == CATALOG.digest


@pytest.mark.parametrize(
    "other",
    [
        changed(sha256="f" * 64),
        changed(classes=("light", "dark", "else")),
        changed(crop=0.875),
        changed(size=64),
        replace(CATALOG, entries=ENTRIES[:1] + ENTRIES[2:], photograph_classifier=None, transfer_classifiers=()),
        replace(CATALOG, defaults={ModelKind.CLASSIFIER: "second", ModelKind.COLORCNN: "gray-steps"}),
        replace(CATALOG, photographs=False),
        replace(CATALOG, photograph_classifier="brightness"),
        replace(CATALOG, transfer_classifiers=("second",)),
        replace(CATALOG, photograph_classifier=None, transfer_classifiers=("second", "second", "brightness")),
    ],
)
def test_whatever_decides_an_answer_changes_the_digest(other: Catalog) -> None:
    assert other.digest != CATALOG.digest


@pytest.mark.parametrize("field", ["file", "architecture", "dataset", "command", "card"])
def test_descriptions_do_not_change_the_digest(field: str) -> None:
    assert changed(**{field: "other"}).digest == CATALOG.digest
    assert changed(accuracy={"top1": 0.1}).digest == CATALOG.digest


def test_the_hash_of_each_model_is_that_of_its_entry() -> None:
    assert dict(CATALOG.sha256) == {entry.name: entry.sha256 for entry in ENTRIES}
