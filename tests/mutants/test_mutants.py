"""Mutants of a small tree: the sample, the tests that try each, and the report that a second run continues."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.mutants.__main__ import main
from tests.mutants.mutants import Mutant, applied, changed_lines, modules, sample, targets
from tests.mutants.runner import Runner, UnsoundTests, failed_test

SHARP = '''"""Bounds that tests/models/test_sharp.py tries."""

from dataclasses import dataclass

Number = int | None


@dataclass(frozen=True)
class Range:
    least: int | None = 2


def fits(number: int, **more: int) -> bool:
    return number >= 2 and number <= 9
'''
BLUNT = """def is_large(number):
    return number > 5
"""
TESTS = """from models.{0} import *


def test_it():
    assert {1}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository of two modules: one is tested at its bounds, the other in the middle, by a test of another name."""
    files = {
        "models/__init__.py": "",
        "models/sharp.py": SHARP,
        "models/deep/__init__.py": "",
        "models/deep/blunt.py": BLUNT,
        "service/__init__.py": "",
        "tests/models/test_sharp.py": TESTS.format(
            "sharp", "[fits(n) for n in (1, 2, 9, 10)] == [0, 1, 1, 0] and Range().least == 2"
        ),
        "tests/models/deep/test_words.py": TESTS.format("deep", "True"),
        "tests/models/deep/test_others.py": TESTS.format("deep.blunt", "is_large(99) and not is_large(-99)"),
    }
    for name, text in files.items():
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "tree"


def test_only_modules_with_content_are_mutated(tree: Path) -> None:
    assert modules(tree) == ["models/deep/blunt.py", "models/sharp.py"]


def test_the_mirrored_file_and_then_those_that_import_the_module_notice_a_mutant(tree: Path) -> None:
    assert targets(tree, "models/sharp.py") == {"mirrored": ["tests/models/test_sharp.py"], "folder": []}
    assert targets(tree, "models/deep/blunt.py") == {
        "folder": ["tests/models/deep/test_others.py", "tests/models/deep/test_words.py"]
    }


def test_a_sample_has_a_mutant_at_each_place_and_none_in_types_or_decorators(tree: Path) -> None:
    pytest.importorskip("cosmic_ray")
    mutants = sample(tree, 100, seed=0)

    assert {(mutant.module, mutant.line) for mutant in mutants} == {
        ("models/sharp.py", 10),  # the default
        ("models/sharp.py", 14),
        ("models/deep/blunt.py", 2),
    }
    assert len(mutants) == 1 + 5 + 2
    assert sample(tree, 3, seed=1) == sample(tree, 3, seed=1) != sample(tree, 3, seed=2)


def test_a_mutant_changes_one_line_for_the_length_of_a_block(tree: Path) -> None:
    pytest.importorskip("cosmic_ray")
    bound = Mutant(module="models/sharp.py", line=14, operator="ReplaceComparisonOperator_GtE_Gt", occurrence=0)

    with applied(tree, bound) as texts:
        assert "number > 2 and number <= 9" in (tree / "models/sharp.py").read_text()

    assert (tree / "models/sharp.py").read_text() == SHARP
    assert changed_lines(*texts) == ("return number >= 2 and number <= 9", "return number > 2 and number <= 9")


def test_a_campaign_counts_what_the_tests_notice_and_is_continued(tree: Path, tmp_path: Path) -> None:
    pytest.importorskip("cosmic_ray")
    git = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "a tree"]):
        subprocess.run([*git, *command], check=True)
    out = tmp_path / "mutants.json"
    arguments = ["--count", "100", "--seed", "0", "--out", str(out)]

    main(arguments, tree, slow=())

    report = json.loads(out.read_text())
    killed: dict[str, list[str]] = {row["module"]: [] for row in report["mutants"]}
    for row in report["mutants"]:
        killed[row["module"]].append(row["killed_by"])
    assert set(killed["models/sharp.py"]) == {"mirrored"}
    assert None in killed["models/deep/blunt.py"] and "mirrored" not in killed["models/deep/blunt.py"]
    assert report["killed"] + report["survived"] == 8 == len(report["mutants"])
    assert report["killed_by"]["mirrored"] == 6

    kept = [row | {"test": "known before"} for row in report["mutants"][:-1]]
    out.write_text(json.dumps(report | {"mutants": kept}))
    main(arguments, tree, slow=())
    assert json.loads(out.read_text())["mutants"] == [*kept, report["mutants"][-1]]


def test_a_test_that_fails_without_a_mutant_is_reported(tree: Path) -> None:
    (tree / "tests/models/test_sharp.py").write_text(TESTS.format("sharp", "fits(99)"))
    row = {"module": "models/sharp.py", "killed_by": "mirrored", "test": "tests/models/test_sharp.py::test_it"}

    with Runner.of(tree, slow=()) as runner, pytest.raises(UnsoundTests, match=r"::test_it fails without"):
        runner.check([row])


RESERVES = """import mmap


def test_addresses_may_be_reserved():
    mmap.mmap(-1, 1 << 36, mmap.MAP_PRIVATE, mmap.PROT_READ).close()


def test_memory_has_a_limit():
    bytearray(1 << 36)
"""


def test_a_run_may_reserve_addresses_as_browsers_do_and_allocates_16_gib_at_most(tree: Path) -> None:
    (tree / "tests/models/test_memory.py").write_text(RESERVES)

    with Runner.of(tree, slow=()) as runner:
        reserved, allocated = (
            runner._run([f"tests/models/test_memory.py::{name}"])
            for name in ("test_addresses_may_be_reserved", "test_memory_has_a_limit")
        )

    assert reserved[0] == 0
    assert allocated[0] == 1 and any("MemoryError" in line for line in allocated[1])


@pytest.mark.parametrize(
    ("line", "test"),
    [
        ("FAILED tests/a/test_b.py::test_c - assert 1 == 2", "tests/a/test_b.py::test_c"),
        ("FAILED tests/a/test_b.py::test_c[x - y] - assert [1] - [2]", "tests/a/test_b.py::test_c[x - y]"),
        ("FAILED tests/a/test_b.py::test_c[[0]-d]", "tests/a/test_b.py::test_c[[0]-d]"),
        ("ERROR tests/a/test_b.py", "tests/a/test_b.py"),
        ("1 failed, 2 passed in 0.10s", None),
    ],
)
def test_the_failed_test_is_read_from_the_summary(line: str, test: str | None) -> None:
    assert failed_test(line) == test
