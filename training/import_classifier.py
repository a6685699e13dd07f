"""Import of a classifier of any architecture into a folder of models, which the service then serves.

    python -m training.import_classifier --name pets --timm resnet18 --weights pets.safetensors --classes pets.txt
    python -m training.import_classifier --name pets --program pets.pt2 --description pets.toml
    COLORCNN_MODELS_FOLDER=models-imported python -m service

A model of the library timm needs its name and a file of weights; timm states size, crop, mean and std. An exported
program, of `torch.export.save` or `torch.jit.save`, needs a description, see `training.importing.description`. Either
becomes a list of operators and their weights in a checkpoint of this project. No code of the file runs: neither a
pickle nor compiled code is loaded.

Every check comes before the first file is written, and a failure leaves nothing behind.
"""

import hashlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models.networks.program import Program, ProgramConfig
from models.zoo.manifest import SHIPPED, ModelEntry
from training.cli import command_line
from training.importing import timm_models
from training.importing.checks import check, find_maps
from training.importing.description import Complete, Description, check_classes, read_classes, read_description
from training.importing.graph import Graph, Rejected
from training.importing.pt2 import is_pt2, read_pt2
from training.importing.simplify import build, plain_config, simplify
from training.importing.store import Imported, store
from training.importing.torchscript import is_torchscript, read_torchscript
from training.importing.weights import fill, read_weights
from training.options import Options


class ImportOptions(Options):
    """Import a classifier of any architecture: checkpoint, model card, manifest entry."""

    name: str
    """Name of the model in requests and commands."""
    program: Path | None = None
    """Exported program: a file of torch.export.save (.pt2) or torch.jit.save (.pt)."""
    timm: str | None = None
    """Architecture of the library timm, for instance resnet18; needs --weights."""
    weights: Path | None = None
    """Weights for --timm: .safetensors, or .pth of which only tensors are read."""
    description: Path | None = None
    """TOML or JSON file with size, resize, crop, interpolation, mean, std, classes and dataset; it overrides timm."""
    classes: Path | None = None
    """File with one class name a line, in the order of the logits."""
    output: Path = Path("models-imported")
    """Folder of models to write into; made if it is missing."""
    shipped: bool = False
    """Write into the models that ship with the project instead of --output."""
    default: bool = False
    """Make it the classifier of requests that name none; the first classifier of a folder is in any case."""


def main(argv: Sequence[str] | None = None) -> ModelEntry:
    """Run the import of a command line; returns the entry of the manifest. Raises Rejected for bad input."""
    options = command_line.parse(ImportOptions, "training.import_classifier", argv)
    words = sys.argv[1:] if argv is None else argv
    imported = _import(options, f"python -m training.import_classifier {shlex.join(map(str, words))}")
    folder = SHIPPED if options.shipped else options.output
    entry = store(imported, folder, default=options.default)
    maps = "none" if imported.config.maps is None else "exact" if imported.config.maps.head else "by gradients"
    print(f"{entry.name}: {len(entry.classes)} classes, {entry.size}x{entry.size}, activation maps: {maps}")
    print(f"{imported.milliseconds:.0f} ms an image here\nwrote {folder / entry.file}")
    print(f"serve it: COLORCNN_MODELS_FOLDER={shlex.quote(str(folder))} python -m service")
    return entry


def _import(options: ImportOptions, command: str) -> Imported:
    graph, described, architecture, source = _read(options)
    where = options.timm or str(options.program)
    if graph.size is not None and graph.size != (described.size, described.size):
        height, width = graph.size
        raise Rejected(
            f"{where} takes images of {width} x {height} pixels, but `size` in the description is {described.size}"
        )
    plain = _config(graph, described, logits=1)
    logits = check(_built(graph, plain, where), where=where).logits
    check_classes(described.classes, logits)
    graph = simplify(graph, described.size)
    config = _config(graph, described, logits)
    config = replace(config, maps=find_maps(graph, config))
    milliseconds = check(build(graph, config), where=where).milliseconds
    return Imported(options.name, architecture, graph, config, described, source, command, milliseconds)


Source = tuple[Graph, Complete, str, str]
"""Graph, complete description, architecture for people, and where it came from."""


def _read(options: ImportOptions) -> Source:
    """Read the files of the options. Raises Rejected also for options that do not go together."""
    stated = read_description(options.description) if options.description else Description()
    if options.classes:
        stated = stated.model_copy(update={"classes": read_classes(options.classes)})
    match options.timm, options.weights, options.program:
        case str(name), Path() as weights, None:
            return _from_timm(name, weights, stated)
        case None, None, Path() as program:
            return _from_file(program, stated)
        case str(), None, None:
            raise Rejected("--timm needs --weights FILE; nothing is downloaded")
        case None, Path(), _:
            raise Rejected("--weights goes with --timm ARCHITECTURE; a program holds its own weights")
    raise Rejected("give either --program FILE, or --timm ARCHITECTURE with --weights FILE")


def _from_timm(name: str, weights: Path, stated: Description) -> Source:
    tensors = read_weights(weights)
    model = timm_models.create(name, len(stated.classes) if stated.classes is not None else None)
    fill(model, tensors, f"timm's {name}" + (f" with {len(stated.classes)} classes" if stated.classes else ""))
    described = stated.over(timm_models.describe(model)).complete(f"timm's {name}")
    graph = timm_models.export(model, name, described.size)
    return graph, described, f"timm {name}", f"timm {name} with {_identified(weights)}"


def _from_file(program: Path, stated: Description) -> Source:
    described = stated.complete(str(program))
    try:
        data = program.read_bytes()
    except OSError as error:
        raise Rejected(f"{program} cannot be read ({error.strerror or error})") from error
    try:
        if is_pt2(data):
            return read_pt2(data), described, "exported program", _identified(program)
        if is_torchscript(data):
            return read_torchscript(data), described, "TorchScript program", _identified(program)
    except Rejected as error:
        raise Rejected(f"{program}: {error}") from error
    raise Rejected(
        f"{program} is no exported program; write one with torch.export.save, or with torch.jit.save "
        "(weights alone go with --timm and --weights)"
    )


def _built(graph: Graph, config: ProgramConfig, where: str) -> Program:
    try:
        return build(graph, config)
    except ValueError as error:
        raise Rejected(f"{where}: {error}") from error


def _config(graph: Graph, described: Complete, logits: int) -> ProgramConfig:
    return replace(plain_config(graph, described.size, logits), mean=described.mean, std=described.std)


def _identified(file: Path) -> str:
    return f"{file.name}, SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()}"


if __name__ == "__main__":
    command_line.run(main)
