"""The project keeps the import rules, and the checker sees each rule broken once in a small tree."""

from pathlib import Path
from textwrap import dedent

import pytest

from tests.import_rules import MAY_IMPORT, filled_packages, read_imports, unit_of, violations

ROOT = Path(__file__).resolve().parent.parent


def test_the_project_keeps_the_import_rules() -> None:
    assert violations(read_imports(ROOT)) == []


def test_packages_hold_no_code() -> None:
    assert filled_packages(ROOT) == []


def test_every_table_entry_exists_and_has_imports() -> None:
    imports = read_imports(ROOT)

    assert {unit_of(module) for module in imports} - {None} == MAY_IMPORT.keys()
    assert "models.errors" in imports["service.http.problems"]


# A small tree that keeps every rule, with each way of writing an import.
GOOD = {
    "models/__init__.py": "",
    "models/errors.py": "import enum",
    "models/palette_image.py": "import numpy as np\nfrom models.errors import BadImage",
    "models/codecs/png.py": "from models import errors\nfrom models.palette_image import PaletteImage",
    "models/networks/colorcnn.py": "from torch import nn",
    "models/zoo/checkpoint.py": "import safetensors.torch\nfrom models.networks.colorcnn import build",
    "models/zoo/registry.py": "from . import checkpoint",
    "models/quantizers/__init__.py": "",
    "models/quantizers/base.py": "from ..palette_image import PaletteImage",
    "models/quantizers/classical/median_cut.py": "from ..base import Quantizer",
    "models/quantizers/learned/colorcnn.py": "import torch\nfrom .. import base\nimport models.zoo.registry",
    "models/evaluation/compare.py": "from models.quantizers.base import Quantizer",
    "service/http/uploads.py": "from models.errors import BadImage",
    "service/inference/batching.py": "import asyncio\nfrom collections import deque\nimport anyio.to_thread",
    "service/benchmark/runner.py": "from service.inference import batching",
    "service/api/routes.py": "from fastapi import APIRouter\nfrom service.http import uploads",
    "training/loop/fit.py": "from models.networks.colorcnn import build",
    "training/train.py": "from training.loop.fit import fit",
    "training/evaluate/harness.py": "import pyarrow.parquet\nfrom training.train import main",
}


def broken_rules(folder: Path, changes: dict[str, str]) -> list[str]:
    """Write the good tree to `folder`, with some files changed or added, and return its violations."""
    for name, source in (GOOD | changes).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(source))
    return violations(read_imports(folder))


def test_a_tree_that_keeps_the_rules_has_no_violations(tmp_path: Path) -> None:
    assert broken_rules(tmp_path, {}) == []


@pytest.mark.parametrize(
    ("file", "source", "sentence"),
    [
        # top folders
        ("models/errors.py", "import service.api.routes", "imports service.api.routes: models.errors may not"),
        ("service/api/routes.py", "import training.train", "imports training.train: service.api may not"),
        ("training/train.py", "from service import api", "imports service.api: training may not"),
        # foreign packages
        ("models/rgb.py", "import starlette.status", "imports starlette.status: not in models/"),
        ("service/api/routes.py", "import pyarrow", "imports pyarrow: not in service/"),
        # between folders, and upwards
        ("models/networks/colorcnn.py", "from models import errors", "imports models.errors: models.networks may not"),
        (
            "models/codecs/png.py",
            "from models.evaluation import compare",
            "imports models.evaluation.compare: models.codecs may not",
        ),
        (
            "service/http/uploads.py",
            "from service.inference import batching",
            "imports service.inference.batching: service.http may not",
        ),
        (
            "service/inference/engine.py",
            "from service.http import uploads",
            "imports service.http.uploads: service.inference may not",
        ),
        (
            "service/benchmark/runner.py",
            "from service.http import uploads",
            "imports service.http.uploads: service.benchmark may not",
        ),
        ("training/loop/fit.py", "import training.train", "imports training.train: training.loop may not"),
        (
            "training/train.py",
            "from training.evaluate import harness",
            "imports training.evaluate.harness: training may not",
        ),
        # a module without a folder
        ("models/helpers.py", "", "has no folder in the table of tests/import_rules.py"),
        (
            "models/__init__.py",
            "from models.errors import BadImage",
            "has no folder in the table of tests/import_rules.py",
        ),
        # circles
        (
            "models/errors.py",
            "from models.palette_image import PaletteImage",
            "imports models.palette_image, which imports it in turn",
        ),
        (
            "models/zoo/checkpoint.py",
            "from models.zoo.registry import Registry",
            "imports models.zoo.registry, which imports it in turn",
        ),
        # torch, directly
        ("models/codecs/png.py", "from safetensors.torch import load", "imports torch"),
        # batching stands alone
        ("service/inference/batching.py", "import numpy", "imports numpy: only the standard library and anyio"),
        (
            "service/inference/batching.py",
            "import models.errors",
            "imports models.errors: only the standard library and anyio",
        ),
    ],
)
def test_each_broken_rule_is_reported(tmp_path: Path, file: str, source: str, sentence: str) -> None:
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    assert f"{module} {sentence}" in broken_rules(tmp_path, {file: source})


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("models/palette_image.py", "models.codecs.png imports torch through models.palette_image"),
        (
            "models/quantizers/__init__.py",
            "models.quantizers.classical.median_cut imports torch through models.quantizers",
        ),
    ],
)
def test_indirect_imports_of_torch_are_reported(tmp_path: Path, file: str, sentence: str) -> None:
    assert sentence in broken_rules(tmp_path, {file: "import torch"})


@pytest.mark.parametrize(
    "source",
    [
        "def late():\n    import training.train",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from training import train",
        "import importlib\ntrain = importlib.import_module('training.train')",
    ],
)
def test_hidden_imports_are_reported(tmp_path: Path, source: str) -> None:
    assert "service.api.routes imports training.train: service.api may not" in broken_rules(
        tmp_path, {"service/api/routes.py": source}
    )


def test_a_package_with_code_is_reported(tmp_path: Path) -> None:
    broken_rules(tmp_path, {"models/__init__.py": '"""A docstring."""'})

    assert filled_packages(tmp_path) == ["models"]
