"""One-token mutants of the source: where they are, a random sample of them, and the tests that should notice them.

cosmic-ray finds the places and writes the mutants; its package is imported only where it is needed.
"""

import ast
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = ("models", "service")

# Operators of cosmic-ray that change one token into a near one: a bound moves by one step, a sign turns. Replacements
# such as `+` by `**` are left out, because any test that runs the line fails with them.
_BINARY = (
    *("Add_Sub", "Sub_Add", "Mul_Div", "Mul_FloorDiv", "Div_Mul", "FloorDiv_Mul", "Mod_FloorDiv", "Pow_Mul"),
    *("RShift_LShift", "LShift_RShift", "BitOr_BitAnd", "BitAnd_BitOr", "BitXor_BitAnd"),
)
_COMPARISON = ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_Gt", "Gt_Lt", "Is_IsNot", "IsNot_Is")
_OTHER = (
    *("ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "NumberReplacer"),
    *("ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub", "ExceptionReplacer"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
)
OPERATORS = (
    *(f"ReplaceBinaryOperator_{name}" for name in _BINARY),
    *(f"ReplaceComparisonOperator_{name}" for name in _COMPARISON),
    *_OTHER,
)

Place = tuple[int, int]  # line, from 1, and column, from 0


@dataclass(frozen=True, order=True, kw_only=True)
class Mutant:
    """One change of one token of a module.

    module: path from the root of the tree. occurrence: which of the changes that `operator` can make in the module.
    """

    module: str
    line: int
    operator: str
    occurrence: int


def modules(root: Path) -> list[str]:
    """Return the paths of all modules of `SOURCES` that are not empty, from `root`, sorted."""
    files = (file for source in SOURCES for file in (root / source).rglob("*.py") if file.stat().st_size)
    return sorted(file.relative_to(root).as_posix() for file in files)


def sample(root: Path, count: int, seed: int) -> list[Mutant]:
    """Return up to `count` random mutants of the tree at `root`, one at each of as many places, in random order.

    Every place has the same chance, however many operators fit it; then every operator that fits. The first mutants of
    a sample are a sample too. Fewer than `count` remain where some are no Python.
    """
    places = [place for module in modules(root) for place in _places(root, module)]
    chance = random.Random(seed)
    drawn = [chance.choice(mutants) for mutants in chance.sample(places, min(count, len(places)))]
    return [mutant for mutant in drawn if _is_python(root, mutant)]


def _is_python(root: Path, mutant: Mutant) -> bool:
    """Return whether cosmic-ray can write a mutant and Python can parse it.

    It takes the `**` before keywords for a power, and cannot replace an exception with a dot in its name.
    """
    from cosmic_ray.mutating import mutate_code

    try:
        ast.parse(mutate_code((root / mutant.module).read_text(), _operator(mutant.operator), mutant.occurrence))
    except (SyntaxError, AttributeError):
        return False
    return True


def _places(root: Path, module: str) -> list[Sequence[Mutant]]:
    """Return the mutants of a module by their places, in the order of the places."""
    from cosmic_ray.ast import ast_nodes, get_ast_from_path

    found: defaultdict[tuple[Place, Place], list[Mutant]] = defaultdict(list)
    nodes = list(ast_nodes(get_ast_from_path(root / module)))
    source = (root / module).read_text()
    unions, dataclasses = set(_type_unions(source)), set(_dataclasses(source))
    for name in OPERATORS:
        operator = _operator(name)
        spans = ((start, end) for node in nodes for start, end in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(spans):
            is_type = name == "ReplaceBinaryOperator_BitOr_BitAnd" and start[0] in unions
            if not is_type and start[0] not in dataclasses:
                mutant = Mutant(module=module, line=start[0], operator=name, occurrence=occurrence)
                found[start, end].append(mutant)
    return [found[span] for span in sorted(found)]


def _type_unions(source: str) -> Iterator[int]:
    """Yield the lines with a `|` between types: those of annotations, and those outside of functions."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.arg(annotation=ast.expr() as types) | ast.AnnAssign(annotation=types):
                yield from range(types.lineno, (types.end_lineno or 0) + 1)
            case ast.FunctionDef(returns=ast.expr() as types) | ast.AsyncFunctionDef(returns=ast.expr() as types):
                yield from range(types.lineno, (types.end_lineno or 0) + 1)
            case ast.Module(body=body) | ast.ClassDef(body=body):
                for statement in body:
                    if isinstance(statement, ast.Assign):
                        yield from range(statement.lineno, (statement.end_lineno or 0) + 1)


def _dataclasses(source: str) -> Iterator[int]:
    """Yield the lines of `@dataclass(...)`: mypy, not a test, notices a field that is set although it is frozen."""
    return (at for at, line in enumerate(source.splitlines(), 1) if line.lstrip().startswith("@dataclass"))


def _operator(name: str) -> Any:
    from cosmic_ray.plugins import get_operator

    return get_operator(f"core/{name}")()


def applied(root: Path, mutant: Mutant) -> AbstractContextManager[tuple[str, str]]:
    """Return a context in which the module of the tree at `root` is mutated; it yields the text before and after."""
    from cosmic_ray.mutating import use_mutation

    context: AbstractContextManager[tuple[str, str]] = use_mutation(
        root / mutant.module, _operator(mutant.operator), mutant.occurrence
    )
    return context


def changed_lines(before: str, after: str) -> tuple[str, str]:
    """Return the one line that differs between two texts, from each, without its indentation."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    old, new = next(pair for pair in pairs if pair[0] != pair[1])
    return old.strip(), new.strip()


def targets(root: Path, module: str) -> Mapping[str, list[str]]:
    """Return the tests that should notice a mutant of `module`, by their name, the nearest first.

    "mirrored" is the test file of that module, and missing if there is none; "folder" is all others of its folder,
    without those of the folders below; those that import the module come first.
    """
    folder = Path("tests") / Path(module).parent
    mirrored = folder / f"test_{Path(module).name}"
    name = module.removesuffix(".py").replace("/", ".")
    beside = sorted((root / folder).glob("test_*.py"), key=lambda file: (name not in file.read_text(), file))
    others = [file.relative_to(root).as_posix() for file in beside if file != root / mirrored]
    nearest = {"mirrored": [mirrored.as_posix()]} if (root / mirrored).is_file() else {}
    return nearest | {"folder": others}
