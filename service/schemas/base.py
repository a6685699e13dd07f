"""Base of the JSON objects in responses."""

from pydantic import BaseModel, ConfigDict


class Report(BaseModel):
    """Frozen JSON object that rejects unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
