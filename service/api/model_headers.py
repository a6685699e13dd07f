"""Headers that name the networks of a response and their checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from service.http.headers import header_text

MODEL_HASH = "X-Model-SHA256"
NO_MODEL = "none"  # X-Model of classical methods


def model_headers(models: Iterable[str | None], sha256: Mapping[str, str]) -> dict[str, str]:
    """Return X-Model, and X-Model-SHA256 with the hashes in the same order; `none` and no hash without a network.

    models: names, None for a classical method. sha256: of each checkpoint, by the name of its model.
    """
    names = list(dict.fromkeys(name for name in models if name is not None))
    if not names:
        return {"X-Model": NO_MODEL}
    return {
        "X-Model": header_text(", ".join(names)),
        MODEL_HASH: ", ".join(sha256[name] for name in names),
    }


def hash_of(model: str | None, sha256: Mapping[str, str]) -> str | None:
    """Return the hash of a model; None for a classical method."""
    return None if model is None else sha256[model]
