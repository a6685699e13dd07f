"""The rules of who may import whom, read off the import statements of a source tree.

Nothing is imported and nothing is run: a tree is a folder that holds models/, service/ and training/.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDERS = ("models", "service", "training")

# What a folder's modules may not import, by the beginning of the name.
FORBIDDEN: Mapping[str, tuple[str, ...]] = {
    "models": ("service", "training", "fastapi", "starlette", "uvicorn", "pyarrow", "torch.optim"),
    "service": ("training", "pyarrow", "torch.optim"),
    "training": ("service", "fastapi", "starlette", "uvicorn"),
}

# The units of models/, low to high, as two columns under one roof. A unit imports lower tiers of its own column and
# nothing else; "learned" are the modules of models/quantizers/ with a network, "classical" the rest of that folder.
_ROOF = (("learned", "recognizer"), ("compare",), ("contact_sheet", "plots"), ("comparison_plots",))
COLUMNS = (
    (
        ("errors", "method_names", "prediction", "resampling", "rgb"),
        ("image_bytes", "palette_image", "row_bands", "srgb"),
        ("codecs", "completeness", "sample_depth", "transparency"),
        ("pixels",),
        ("metrics", "classical", "overlay"),
        *_ROOF,
    ),
    (("errors",), ("json_fields",), ("networks",), ("cam", "checkpoint"), ("registry",), *_ROOF),
)

TORCH_FREE = ("codecs", "metrics", "classical", "overlay", "compare", "contact_sheet", "plots", "comparison_plots")
TORCH = ("torch", "torchvision", "safetensors.torch")

Imports = Mapping[str, frozenset[str]]


def read_imports(root: Path) -> Imports:
    """Map every module of the tree at `root` to the dotted names it imports, anywhere in it, under any condition.

    A name of the tree is cut to the module that holds it (`models.errors`); a foreign one is whole (`torch.nn.Module`).
    """
    files = {_module_name(file.relative_to(root)): file for folder in FOLDERS for file in (root / folder).rglob("*.py")}
    return {
        module: frozenset(_holder(name, files) for name in _imported_names(module, file))
        for module, file in files.items()
    }


def _module_name(file: Path) -> str:
    return ".".join(file.parent.parts if file.name == "__init__.py" else file.with_suffix("").parts)


def _holder(name: str, modules: Mapping[str, Path]) -> str:
    """The longest beginning of `name` that is a module of the tree, or `name` itself."""
    beginnings = (name.rsplit(".", cut)[0] for cut in range(name.count(".") + 1))
    return next((beginning for beginning in beginnings if beginning in modules), name)


def _imported_names(module: str, file: Path) -> Iterator[str]:
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), filename=str(file))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(names=names, module=origin, level=level):
                base = _absolute(package, origin or "", level)
                yield from (f"{base}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def _absolute(package: str, origin: str, level: int) -> str:
    """`from <level dots><origin> import ...` inside `package`, without the dots."""
    if level == 0:
        return origin
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{origin}" if origin else base


def violations(imports: Imports) -> list[str]:
    """Every broken rule of the tree, one sentence each, sorted."""
    rules = (_across_folders, _order_of_models, _free_of_torch, _batching_alone)
    return sorted(broken for rule in rules for broken in rule(imports))


def _across_folders(imports: Imports) -> Iterator[str]:
    for module, names in imports.items():
        for name in names:
            if _begins(name, FORBIDDEN[module.partition(".")[0]]):
                yield f"{module} imports {name}: not in {module.partition('.')[0]}/"


def _order_of_models(imports: Imports) -> Iterator[str]:
    units = {module: _unit(module) for module in imports if module.startswith("models.")}
    for module, unit in units.items():
        if not any(unit in tier for column in COLUMNS for tier in column):
            yield f"{module} has no place in the order of models/: give it one in tests/import_rules.py"
    for module, names in imports.items():
        for name in names & units.keys():
            if module.partition(".")[0] == "models" and not _may_import(units.get(module, "models"), units[name]):
                yield f"{module} imports {name}: not below it in the order of models/"


def _unit(module: str) -> str:
    """The unit of a module of models/: models.codecs.png is of `codecs`."""
    parts = module.split(".")
    if parts[1] != "quantizers":
        return parts[1]
    return "learned" if parts[2:3] in (["learned"], ["published"], ["refinement"], ["search"]) else "classical"


def _may_import(importer: str, imported: str) -> bool:
    heights = [{unit: height for height, tier in enumerate(column) for unit in tier} for column in COLUMNS]
    return importer == imported or any(
        imported in height and importer in height and height[imported] < height[importer] for height in heights
    )


def _free_of_torch(imports: Imports) -> Iterator[str]:
    for module in imports:
        if module.startswith("models.") and _unit(module) in TORCH_FREE:
            for reached in sorted(_reach(module, imports)):
                if any(_begins(name, TORCH) for name in imports[reached]):
                    yield f"{module} imports torch" + ("" if reached == module else f" through {reached}")


def _reach(module: str, imports: Imports) -> set[str]:
    """The modules of the tree that run when `module` is imported: itself, its packages, and what all these import."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        here = waiting.pop()
        if here in imports and here not in reached:
            reached.add(here)
            waiting += [here.rpartition(".")[0], *imports[here]]
    return reached


def _batching_alone(imports: Imports) -> Iterator[str]:
    for name in imports.get("service.inference.batching", ()):
        if name.partition(".")[0] not in sys.stdlib_module_names | {"anyio"}:
            yield f"service.inference.batching imports {name}: only the standard library and anyio"


def _begins(name: str, beginnings: tuple[str, ...]) -> bool:
    return any(name == beginning or name.startswith(f"{beginning}.") for beginning in beginnings)
