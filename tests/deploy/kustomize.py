"""The part of kustomize that deploy/kubernetes uses, for machines without kubectl.

resources, components, namespace, strategic merge patches, images and ConfigMaps of settings, with the hash in their
names. A file with anything else fails.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]

_KNOWN = {"apiVersion", "kind", "namespace", "resources", "components", "patches", "images", "configMapGenerator"}
_MERGED_BY = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}
"""Lists that a patch changes entry by entry, and the field that names an entry; it replaces any other list."""
_CLUSTER_WIDE = ("Namespace",)
_DIGITS = str.maketrans("013ae", "ghkmt")  # kustomize avoids words in its hashes


def render(folder: Path, *components: Path) -> list[Document]:
    """Return the documents of a kustomization. components: folders that it names beside those of its file.

    Raises ValueError for a field that this module does not know.
    """
    return _with_hashes(_build(folder, [], components))


def load(file: Path) -> list[Document]:
    """Return the documents of a YAML file."""
    return [document for document in yaml.safe_load_all(file.read_text(encoding="utf-8")) if document]


def _build(folder: Path, documents: list[Document], components: Sequence[Path] = ()) -> list[Document]:
    """Return the documents that a kustomization makes of `documents`, which only a component gets."""
    [plan] = load(folder / "kustomization.yaml")
    if unknown := plan.keys() - _KNOWN:
        raise ValueError(f"{folder}: {unknown}")
    for name in plan.get("resources", ()):
        path = folder / name
        documents = documents + (_build(path, []) if path.is_dir() else load(path))
    for generator in plan.get("configMapGenerator", ()):
        documents = _generated(documents, generator, folder)
    for component in (*(folder / name for name in plan.get("components", ())), *components):
        documents = _build(component, documents)
    for patch in plan.get("patches", ()):
        for change in load(folder / patch["path"]):
            documents = _patched(documents, change)
    for image in plan.get("images", ()):
        documents = [_with_image(document, image) for document in documents]
    if namespace := plan.get("namespace"):
        for document in documents:
            if document["kind"] not in _CLUSTER_WIDE:
                document["metadata"]["namespace"] = namespace
    return documents


def _generated(documents: list[Document], generator: Document, folder: Path) -> list[Document]:
    texts = [(folder / name).read_text(encoding="utf-8") for name in generator.get("envs", ())]
    lines = [line for text in texts for line in text.splitlines() if line and not line.startswith("#")]
    data = dict(line.split("=", 1) for line in (*lines, *generator.get("literals", ())))
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data}
    merges = generator.get("behavior", "create") == "merge"
    return _patched(documents, made) if merges else [*documents, made]


def _patched(documents: list[Document], change: Document) -> list[Document]:
    """Merge a patch into the document that it names; it must be there."""
    if sum(_identity(document) == _identity(change) for document in documents) != 1:
        raise ValueError(f"there is not one {_identity(change)}")
    return [_merged(each, change) if _identity(each) == _identity(change) else each for each in documents]


def _identity(document: Document) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def _merged(value: Any, change: Any, field: str = "") -> Any:
    """Return a value with a change of it; lists of entries with names are merged entry by entry."""
    if isinstance(value, dict) and isinstance(change, dict):
        return _both(value, change)
    if isinstance(value, list) and field in _MERGED_BY:
        ours, theirs = ({entry[_MERGED_BY[field]]: entry for entry in entries} for entries in (value, change))
        return list(_both(ours, theirs).values())
    return copy.deepcopy(change)


def _both(ours: Document, theirs: Document) -> Document:
    changed = {name: _merged(ours[name], each, name) if name in ours else each for name, each in theirs.items()}
    return ours | changed


def _with_image(node: Any, image: Document) -> Any:
    """Replace the image of every container that has the name of `image`."""
    if isinstance(node, list):
        return [_with_image(each, image) for each in node]
    if not isinstance(node, dict):
        return node
    changed = {name: _with_image(each, image) for name, each in node.items()}
    if changed.get("image") == image["name"]:
        changed["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"
    return changed


def _with_hashes(documents: list[Document]) -> list[Document]:
    """Append the hash of each ConfigMap to its name, and to the references to it."""
    names = {each["metadata"]["name"]: _hashed(each) for each in documents if each["kind"] == "ConfigMap"}

    def renamed(node: Any) -> Any:
        if isinstance(node, list):
            return [renamed(each) for each in node]
        if not isinstance(node, dict):
            return node
        changed = {name: renamed(each) for name, each in node.items()}
        if "configMapRef" in changed:
            reference = changed["configMapRef"]
            changed["configMapRef"] = reference | {"name": names.get(reference["name"], reference["name"])}
        return changed

    documents = renamed(documents)
    for document in documents:
        if document["kind"] == "ConfigMap":
            document["metadata"]["name"] = names[document["metadata"]["name"]]
    return documents


def _hashed(settings: Document) -> str:
    content = {"data": settings["data"], "kind": "ConfigMap", "name": ""}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    digits = hashlib.sha256(text.encode()).hexdigest()[:10].translate(_DIGITS)
    return f"{settings['metadata']['name']}-{digits}"
