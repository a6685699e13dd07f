"""One short digest of everything in a catalog that decides answers, so that differing replicas show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from models.zoo.manifest import ModelEntry

_DIGITS = 16  # 64 bits
_DESCRIBING = frozenset({"file", "architecture", "dataset", "accuracy", "command", "card", "results"})
"""Fields of an entry that change no answer."""


def fingerprint(entries: Iterable[ModelEntry], *choices: Any) -> str:
    """Return 16 hexadecimal digits that depend on the weights and the geometry of all models, in any order.

    choices: JSON values that select among the models, such as the names of the defaults.
    """
    models = sorted((_decisive(entry) for entry in entries), key=lambda fields: str(fields["name"]))
    text = json.dumps([models, *choices], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _decisive(entry: ModelEntry) -> dict[str, Any]:
    return {name: value for name, value in entry.to_json().items() if name not in _DESCRIBING}
