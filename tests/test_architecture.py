"""The import rules hold in this project, and the checker of the rules sees each kind of break."""

from pathlib import Path
from textwrap import dedent

import pytest

from tests.import_rules import read_imports, violations

ROOT = Path(__file__).resolve().parent.parent


def test_the_project_keeps_the_import_rules() -> None:
    assert violations(read_imports(ROOT)) == []


def test_the_project_is_really_read() -> None:
    imports = read_imports(ROOT)

    assert {"models.errors", "models.quantizers.base", "service.http.problems", "training.loop.fit"} <= imports.keys()
    assert "models.errors" in imports["service.http.problems"]


# A small tree that keeps every rule, with each way of writing an import.
GOOD = {
    "models/__init__.py": '"""Docstring only."""',
    "models/errors.py": "import enum",
    "models/palette_image.py": "import numpy as np\nfrom models.errors import BadImage",
    "models/codecs/__init__.py": "",
    "models/codecs/png.py": "from models import errors\nfrom models.palette_image import PaletteImage",
    "models/networks/__init__.py": "",
    "models/networks/colorcnn.py": "from torch import nn",
    "models/zoo/checkpoint.py": "import safetensors.torch\nfrom models.networks.colorcnn import build",
    "models/zoo/registry.py": "from . import checkpoint",
    "models/quantizers/__init__.py": "",
    "models/quantizers/base.py": "from ..palette_image import PaletteImage",
    "models/quantizers/classical/median_cut.py": "from .base import Quantizer",
    "models/quantizers/learned/colorcnn.py": "import torch\nfrom models.quantizers import base\nfrom models import registry",
    "models/evaluation/compare.py": "from models.quantizers.base import Quantizer",
    "service/api/routes.py": "from fastapi import APIRouter\nfrom models.evaluation.compare import compare",
    "service/inference/batching.py": "import asyncio\nfrom collections import deque\nimport anyio.to_thread",
    "training/evaluate/__main__.py": "import pyarrow.parquet\nfrom models.evaluation.compare import compare",
}


def broken(folder: Path, changes: dict[str, str]) -> list[str]:
    """The violations of the good tree, written to `folder` with some files changed or added."""
    for name, source in (GOOD | changes).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(source))
    return violations(read_imports(folder))


def test_a_tree_that_keeps_the_rules_has_no_violations(tmp_path: Path) -> None:
    assert broken(tmp_path, {}) == []


@pytest.mark.parametrize(
    ("file", "source", "sentence"),
    [
        ("models/errors.py", "import service.api.routes", "models.errors imports service.api.routes: not in models/"),
        (
            "models/evaluation/compare.py",
            "from training.evaluate import run",
            "models.evaluation.compare imports training.evaluate: not in models/",
        ),
        (
            "models/evaluation/compare.py",
            "import starlette.responses",
            "models.evaluation.compare imports starlette.responses: not in models/",
        ),
        ("service/api/routes.py", "import training", "service.api.routes imports training: not in service/"),
        (
            "training/evaluate/__main__.py",
            "from service import routes",
            "training.evaluate imports service.api.routes: not in training/",
        ),
    ],
)
def test_folders_that_may_not_know_each_other(tmp_path: Path, file: str, source: str, sentence: str) -> None:
    assert sentence in broken(tmp_path, {file: source})


@pytest.mark.parametrize(
    ("file", "source", "imported"),
    [
        ("models/errors.py", "from models.palette_image import PaletteImage", "models.palette_image"),
        ("models/palette_image.py", "from models.codecs import png", "models.codecs.png"),
        (
            "models/codecs/png.py",
            "from models.quantizers.classical.median_cut import MedianCut",
            "models.quantizers.classical.median_cut",
        ),
        ("models/networks/colorcnn.py", "from models.zoo.checkpoint import load", "models.zoo.checkpoint"),
        ("models/networks/colorcnn.py", "from models.palette_image import PaletteImage", "models.palette_image"),
        ("models/zoo/checkpoint.py", "from models.zoo.registry import Registry", "models.zoo.registry"),
        (
            "models/zoo/registry.py",
            "from models.quantizers.learned import LearnedQuantizer",
            "models.quantizers.learned",
        ),
        ("models/quantizers/learned/colorcnn.py", "from models import compare", "models.evaluation.compare"),
        ("models/__init__.py", "from models.errors import BadImage", "models.errors"),
    ],
)
def test_modules_of_models_import_only_what_is_below_them(
    tmp_path: Path, file: str, source: str, imported: str
) -> None:
    importer = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    assert broken(tmp_path, {file: source}) == [f"{importer} imports {imported}: not below it in the order of models/"]


def test_a_module_of_models_without_a_place_in_the_order(tmp_path: Path) -> None:
    [sentence] = broken(tmp_path, {"models/helpers.py": ""})

    assert sentence.startswith("models.helpers has no place")


@pytest.mark.parametrize(
    "source", ["import torch", "from torch.nn import functional", "from safetensors.torch import load"]
)
def test_codecs_do_not_import_torch(tmp_path: Path, source: str) -> None:
    assert broken(tmp_path, {"models/codecs/png.py": source}) == ["models.codecs.png imports torch"]


def test_torch_is_seen_through_other_modules(tmp_path: Path) -> None:
    sentences = broken(tmp_path, {"models/palette_image.py": "import torch"})

    assert "models.codecs.png imports torch through models.palette_image" in sentences
    assert "models.quantizers.classical.median_cut imports torch through models.palette_image" in sentences


def test_torch_is_seen_in_the_package_around_a_module(tmp_path: Path) -> None:
    sentences = broken(tmp_path, {"models/quantizers/__init__.py": "import torch"})

    assert "models.quantizers.classical.median_cut imports torch through models.quantizers" in sentences


@pytest.mark.parametrize("source", ["import numpy", "from models.errors import BadImage", "from service import routes"])
def test_batching_knows_only_the_standard_library_and_anyio(tmp_path: Path, source: str) -> None:
    [sentence] = broken(tmp_path, {"service/inference/batching.py": source})

    assert sentence.endswith("only the standard library and anyio")


@pytest.mark.parametrize(
    "source",
    [
        """
        def late():
            import training.evaluate
        """,
        """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from training import evaluate
        """,
        """
        import importlib
        evaluate = importlib.import_module("training.evaluate")
        """,
    ],
)
def test_hidden_imports_count(tmp_path: Path, source: str) -> None:
    assert broken(tmp_path, {"service/api/routes.py": source}) == [
        "service.api.routes imports training.evaluate: not in service/"
    ]
