"""The import rules of docs/architecture.md, checked on the import statements of a source tree.

The checker parses files and runs none of them. A source tree is a folder that holds models/, service/ and training/.
docs/decisions/0008-import-rules-as-a-test.md explains why import-linter cannot state every rule.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDERS = ("models", "service", "training")

# Foreign packages that a top folder may not import.
FORBIDDEN: Mapping[str, tuple[str, ...]] = {
    "models": ("fastapi", "starlette", "uvicorn", "pyarrow", "ray", "torch.optim"),
    "service": ("pyarrow", "torch.optim"),
    "training": ("fastapi", "starlette", "uvicorn"),
}

GROUND = (
    "models.errors",
    "models.color_range",
    "models.pauses",
    "models.rgb",
    "models.names",
    "models.prediction",
    "models.palette_image",
    "models.palettes",
    "models.nearest",
    "models.files",
    "models.threads",
)
_QUANTIZERS = ("models.quantizers.base", "models.quantizers.classical")
_SERVICE_GROUND = ("service.errors", "service.runtime", "service.schemas", "service.settings")
_INFERENCE = ("models", *_SERVICE_GROUND, "service.inference")
_BENCHMARK = (*_INFERENCE, "service.benchmark")
_IMPORTING = ("models", "training.options")
_TRAINING = ("models", "training.extras", "training.options", "training.data", "training.loop", "training.cli")

# Folders and top modules, and what of the project each may import beside itself. The longest name that fits applies, so
# "training" means the modules of training/ that lie in no folder below it; "models" and "service" mean all of either.
MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(GROUND, GROUND),
    "models.networks": (),
    "models.zoo": (*GROUND, "models.networks"),
    "models.quantizers.base": GROUND,
    "models.quantizers.classical": (*GROUND, "models.quantizers.base"),
    "models.quantizers.smoothing": GROUND,
    "models.quantizers.transparency": (*GROUND, *_QUANTIZERS),
    "models.quantizers.learned": (*GROUND, *_QUANTIZERS, "models.networks", "models.zoo", "models.recognizer"),
    "models.recognizer": (*GROUND, "models.networks", "models.zoo"),
    "models.quantize": ("models",),
    "models.codecs": GROUND,
    "models.decoding": (*GROUND, "models.codecs"),
    "models.evaluation": (*GROUND, *_QUANTIZERS, "models.codecs", "models.decoding"),
    "models.report": (*GROUND, "models.codecs", "models.evaluation"),
    "service.errors": ("models.errors",),
    "service.runtime": ("models.errors",),
    "service.schemas": (*GROUND, "models.codecs", "models.quantizers.base"),
    "service.settings": ("models.threads", "service.runtime"),
    "service.client": (*GROUND, "service.schemas"),
    "service.http": ("models.errors", *_SERVICE_GROUND),
    "service.inference": _INFERENCE,
    "service.benchmark": _INFERENCE,
    "service.lifecycle": _BENCHMARK,
    "service.metrics": (*_BENCHMARK, "service.lifecycle"),
    "service.api": (*_BENCHMARK, "service.http", "service.lifecycle", "service.metrics"),
    "service.app": ("models", "service"),
    "service.cluster": ("models", "service"),
    "service.cli": ("models", "service"),
    "service.__main__": ("models", "service"),
    "training.extras": (),
    "training.options": ("models.quantizers.base",),
    "training.data": ("models", "training.extras", "training.options"),
    "training.loop": ("models", "training.extras", "training.options", "training.data"),
    "training.cli": _TRAINING,
    "training.engines": _TRAINING,
    "training.importing": _IMPORTING,
    "training": (*_TRAINING, "training.engines", "training.importing"),
    "training.report": _TRAINING,
    "training.evaluate": (*_TRAINING, "training.engines", "training"),
}

TORCH_FREE = (
    "models.codecs",
    "models.decoding",
    "models.evaluation",
    *_QUANTIZERS,
    "models.quantizers.smoothing",
    "models.quantizers.transparency",
    "models.report",
    "service.client",
    "service.errors",
    "service.runtime",
    "service.schemas",
    "service.http",
)
TORCH = ("torch", "torchvision", "safetensors.torch")

# A package runs whenever one of its modules is imported, so it holds no code. BPG and the client are used as one
# module each; training/ sets the variables that OpenMP reads when torch is loaded, which its commands import first.
FILLED_PACKAGES = ("models.codecs.bpg", "service.client", "training")

Imports = Mapping[str, frozenset[str]]


def read_imports(root: Path) -> Imports:
    """Map every module of the tree at `root` to the dotted names that it imports, at any depth and condition.

    A name of the tree is cut to the module that defines it (`models.errors`); a foreign name stays whole
    (`torch.nn.Module`).
    """
    files = _files(root)
    return {
        module: frozenset(_definer(name, files) for name in _imported_names(module, file))
        for module, file in files.items()
    }


def filled_packages(root: Path) -> list[str]:
    """Packages of the tree at `root` whose `__init__.py` holds anything, but for `FILLED_PACKAGES`."""
    files = {module: file for module, file in _files(root).items() if file.name == "__init__.py"}
    return sorted(module for module, file in files.items() if module not in FILLED_PACKAGES and file.stat().st_size)


def _files(root: Path) -> Mapping[str, Path]:
    return {_module_name(file.relative_to(root)): file for folder in FOLDERS for file in (root / folder).rglob("*.py")}


def _module_name(file: Path) -> str:
    return ".".join(file.parent.parts if file.name == "__init__.py" else file.with_suffix("").parts)


def _definer(name: str, modules: Mapping[str, Path]) -> str:
    """Return the longest beginning of `name` that is a module of the tree, or `name` itself."""
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
    """Return the dotted name of `from <level dots><origin> import ...` inside `package`."""
    if level == 0:
        return origin
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{origin}" if origin else base


def violations(imports: Imports) -> list[str]:
    """Return one sentence for each broken rule, sorted."""
    rules = (_foreign_packages, _between_folders, _circles, _free_of_torch, _batching_alone)
    return sorted(broken for rule in rules for broken in rule(imports))


def _foreign_packages(imports: Imports) -> Iterator[str]:
    for module, names in imports.items():
        folder = module.partition(".")[0]
        yield from (f"{module} imports {name}: not in {folder}/" for name in names if _begins(name, FORBIDDEN[folder]))


def _between_folders(imports: Imports) -> Iterator[str]:
    packages = {module.rpartition(".")[0] for module in imports}
    for module, names in imports.items():
        own = [name for name in names if _begins(name, FOLDERS)]
        unit = unit_of(module)
        if unit is not None:
            yield from (f"{module} imports {name}: {unit} may not" for name in own if not _may_import(unit, name))
        elif own or module not in packages:
            yield f"{module} has no folder in the table of tests/import_rules.py"


def unit_of(module: str) -> str | None:
    """Return the longest entry of the table that `module` belongs to, or None."""
    return max((unit for unit in MAY_IMPORT if _begins(module, (unit,))), key=len, default=None)


def _may_import(unit: str, name: str) -> bool:
    allowed = {unit, *MAY_IMPORT[unit]}
    whole_folders = tuple(allowed & set(FOLDERS) - MAY_IMPORT.keys())
    return unit_of(name) in allowed or _begins(name, whole_folders)


def _circles(imports: Imports) -> Iterator[str]:
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
    """Return the modules that run when `module` is imported: `module`, its packages, and all that these import.

    With `packages=False` a package counts only where it is imported by name.
    """
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        here = waiting.pop()
        if here in imports and here not in reached:
            reached.add(here)
            waiting += [*([here.rpartition(".")[0]] if packages else []), *imports[here]]
    return reached


def _batching_alone(imports: Imports) -> Iterator[str]:
    batching, waiter = "service.inference.batching", "service.inference.waiter"
    for module in (batching, waiter):
        for name in imports.get(module, ()):
            if name != waiter and name.partition(".")[0] not in sys.stdlib_module_names | {"anyio"}:
                yield f"{module} imports {name}: only the standard library and anyio"


def _begins(name: str, beginnings: tuple[str, ...]) -> bool:
    return any(name == beginning or name.startswith(f"{beginning}.") for beginning in beginnings)
