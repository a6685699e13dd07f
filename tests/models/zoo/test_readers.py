"""models/zoo/readers.py: classifiers of studies are added to a registry, and to no manifest."""

from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import UnknownModel
from models.zoo.manifest import SHIPPED, Manifest
from models.zoo.readers import LITE2, with_readers
from models.zoo.registry import Registry


def test_a_reader_is_added_to_the_registry_alone() -> None:
    shipped = Registry.open()
    entry = with_readers(shipped).entry(LITE2)
    assert entry.classes == shipped.entry("imagenet-efficientnet-lite0").classes
    assert entry.size == 260 and entry.crop == pytest.approx(260 / 292)
    assert (SHIPPED / entry.card).is_file()
    with pytest.raises(UnknownModel, match=LITE2):
        shipped.entry(LITE2)
    assert with_readers(shipped).manifest.defaults == shipped.manifest.defaults


def test_a_folder_without_lite0_has_no_readers(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="imagenet-efficientnet-lite0"):
        with_readers(Registry(tmp_path, Manifest(models=(), defaults={})))


def test_the_reader_needs_the_package_of_its_template() -> None:
    shipped = Registry.open()
    own = replace(shipped.entry("imagenet-efficientnet-lite0"), package=None)
    with pytest.raises(ValueError, match="no package"):
        with_readers(shipped.with_model(own))
