"""The rules of who may import whom, read off the import statements of a source tree.

Nothing is imported and nothing is run: a tree is a folder that holds models/, service/ and training/.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDERS = ("models", "service", "training")

# Other packages that a top folder may not import, by the beginning of the name.
FORBIDDEN: Mapping[str, tuple[str, ...]] = {
    "models": ("fastapi", "starlette", "uvicorn", "pyarrow", "torch.optim"),
    "service": ("pyarrow", "torch.optim"),
    "training": ("fastapi", "starlette", "uvicorn"),
}

_GROUND = ("models.errors", "models.rgb", "models.names", "models.prediction", "models.palette_image")
_SERVICE_GROUND = ("service.errors", "service.runtime", "service.schemas", "service.settings")
_INFERENCE = (*_SERVICE_GROUND, "service.inference", "models")

# Each folder (or module) of the project and what else of the project it may import; docs/architecture.md has it as prose.
# The longest name that fits counts.
MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_GROUND, _GROUND),
    "models.networks": (),
    "models.zoo": (*_GROUND, "models.networks"),
    "models.quantizers.base": _GROUND,
    "models.quantizers.classical": (*_GROUND, "models.quantizers.base"),
    "models.quantizers.learned": (*_GROUND, "models.quantizers.base", "models.networks", "models.zoo"),
    "models.recognizer": (*_GROUND, "models.networks", "models.zoo"),
    "models.codecs": _GROUND,
    "models.decoding": (*_GROUND, "models.codecs"),
    "models.evaluation": (
        *_GROUND,
        "models.codecs",
        "models.decoding",
        "models.quantizers.base",
        "models.quantizers.classical",
    ),
    "models.report": (*_GROUND, "models.codecs", "models.evaluation"),
    "service.errors": ("models.errors",),
    "service.runtime": ("models.errors",),
    "service.schemas": (*_GROUND, "models.codecs", "models.quantizers.base"),
    "service.settings": ("service.runtime",),
    "service.http": (*_SERVICE_GROUND, "models.errors"),
    "service.inference": _INFERENCE,
    "service.benchmark": (*_INFERENCE, "service.benchmark"),
    "service.lifecycle": (*_INFERENCE, "service.benchmark"),
    "service.metrics": (*_INFERENCE, "service.benchmark", "service.lifecycle"),
    "service.api": (*_INFERENCE, "service.http", "service.benchmark", "service.lifecycle", "service.metrics"),
    "service.app": ("service", "models"),
    "service.__main__": ("service", "models"),
    "training.data": ("models",),
    "training.loop": ("models", "training.data"),
    "training.cli": ("models", "training.data", "training.loop"),
    "training": ("models", "training.data", "training.loop", "training.cli", "training"),
}

TORCH_FREE = (
    "models.codecs",
    "models.decoding",
    "models.evaluation",
    "models.quantizers.base",
    "models.quantizers.classical",
    "models.report",
    "service.runtime",
    "service.schemas",
    "service.http",
)
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
    rules = (_foreign_packages, _between_folders, _circles, _free_of_torch, _batching_alone)
    return sorted(broken for rule in rules for broken in rule(imports))


def _foreign_packages(imports: Imports) -> Iterator[str]:
    for module, names in imports.items():
        folder = module.partition(".")[0]
        yield from (f"{module} imports {name}: not in {folder}/" for name in names if _begins(name, FORBIDDEN[folder]))


def _between_folders(imports: Imports) -> Iterator[str]:
    for module, names in imports.items():
        if _begins(module, tuple(_packages(imports))) and "." not in module:
            continue
        unit = _unit(module)
        if unit is None:
            yield f"{module} has no folder in the table: give it one in tests/import_rules.py"
            continue
        for name in names:
            if _begins(name, FOLDERS) and not _begins(name, (unit, *MAY_IMPORT[unit])):
                yield f"{module} imports {name}: {unit} may not"


def _packages(imports: Imports) -> set[str]:
    return {module.rpartition(".")[0] for module in imports} - {""}


def _unit(module: str) -> str | None:
    """The longest entry of the table that `module` belongs to."""
    return max((unit for unit in MAY_IMPORT if _begins(module, (unit,))), key=len, default=None)


def _circles(imports: Imports) -> Iterator[str]:
    """Modules that reach themselves through what they import."""
    for module in imports:
        for name in imports[module] & imports.keys():
            if name != module and module in _reach(name, imports, packages=False):
                yield f"{module} imports {name}, which imports it in turn"


def _free_of_torch(imports: Imports) -> Iterator[str]:
    for module in imports:
        if _begins(module, TORCH_FREE):
            for reached in sorted(_reach(module, imports)):
                if any(_begins(name, TORCH) for name in imports[reached]):
                    yield f"{module} imports torch" + ("" if reached == module else f" through {reached}")


def _reach(module: str, imports: Imports, *, packages: bool = True) -> set[str]:
    """Modules that run when `module` is imported: itself, its packages (unless left out), and what all these import."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        here = waiting.pop()
        if here in imports and here not in reached:
            reached.add(here)
            waiting += [*([here.rpartition(".")[0]] if packages else []), *imports[here]]
    return reached


def _batching_alone(imports: Imports) -> Iterator[str]:
    for name in imports.get("service.inference.batching", ()):
        if name.partition(".")[0] not in sys.stdlib_module_names | {"anyio"}:
            yield f"service.inference.batching imports {name}: only the standard library and anyio"


def _begins(name: str, beginnings: tuple[str, ...]) -> bool:
    return any(name == beginning or name.startswith(f"{beginning}.") for beginning in beginnings)
