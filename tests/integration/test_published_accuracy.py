"""The accuracy in the manifest is the accuracy that the reports hold."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from docs.generator.reports import DATA
from models.zoo.manifest import ModelEntry
from models.zoo.registry import Registry

TEST_IMAGES = 10_000
REGISTRY = Registry.open()


@pytest.fixture(scope="module")
def reports() -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in DATA.glob("*.json")]


# A prefilter has no labels, so no accuracy: docs/results/photographs.md measures it.
TRAINED_HERE = [entry for entry in REGISTRY.available() if entry.package is None and entry.kind != "prefilter"]


@pytest.mark.parametrize("entry", TRAINED_HERE, ids=lambda entry: entry.name)
def test_the_manifest_has_the_same_accuracy(entry: ModelEntry, reports: list[dict[str, Any]]) -> None:
    tested = {key: value for key, value in entry.accuracy.items() if key.startswith("test_")}
    tuned = [row for each in reports if "tuning" in each for row in each["rows"] if row["name"] == entry.name]
    if tuned:
        # Several encoders may have been followed by a fine-tuning of this name; one of them is shipped.
        [row] = [each for each in tuned if each["sha256"] == entry.sha256]
        assert row["images"] == TEST_IMAGES
        assert tested == {"test_top1": row["top1_after"]}
    elif entry.kind == "classifier":
        assert tested == {"test_top1": top1_on_originals(entry.name, reports)}
    else:
        assert tested == accuracy_of_quantizer(entry, reports) != {}


def top1_on_originals(name: str, reports: Sequence[dict[str, Any]]) -> float:
    """Return what every report over the whole test set agrees on."""
    about = [each for each in reports if each.get("classifier") == name]
    [top1] = {each["top1_original"] for each in about if each["rows"][0]["images"] == TEST_IMAGES}
    return float(top1)


def accuracy_of_quantizer(entry: ModelEntry, reports: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the accuracy in the report that is stored beside the checkpoint and in docs/results/data."""
    report = REGISTRY.results(entry.name)
    assert report is not None and report in reports and report["sha256"][entry.name] == entry.sha256
    rows = [row for row in report["rows"] if (row["model"], row["method"]) == (entry.name, "colorcnn")]
    return {f"test_top1_{row['colors']}": row["top1"] for row in rows}
