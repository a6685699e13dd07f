"""Configurations of networks, which checkpoints store as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Base of the frozen dataclasses that configure a network. Fields are JSON values, tuples or configurations."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, the inverse of `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build from JSON values.

        Raises TypeError for an unknown or missing field, and TypeError or ValueError for a bad value.
        """
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
