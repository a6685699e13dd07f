"""Base of the JSON objects in responses, and fields that several have."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Report(BaseModel):
    """Frozen JSON object that rejects unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# Not required, so that a client reads the responses of an earlier service.
_HASH: dict[str, JsonValue] = {"pattern": "^[0-9a-f]{64}$"}
SHA256_OF_MODEL: Any = Field(
    None, description="SHA-256 of the checkpoint of `model`; null for a classical method.", json_schema_extra=_HASH
)
SHA256_OF_CLASSIFIER: Any = Field(
    None, description="SHA-256 of the checkpoint of `classifier`; null without one.", json_schema_extra=_HASH
)
MODELS_DIGEST: Any = Field(
    "",
    description="Digest of the weights of all models and of the defaults, as in the header X-Models-Digest: services "
    "with different digests may answer differently.",
    examples=["5f2c0d1e9a3b4c6d"],
)
