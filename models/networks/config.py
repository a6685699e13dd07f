"""Configurations of networks as JSON, as they are stored in checkpoints."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Base of the frozen dataclasses that say how to build a network again; their fields are JSON values or tuples."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the inverse of `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build from JSON values; unknown or missing fields raise TypeError, bad values ValueError or TypeError."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
