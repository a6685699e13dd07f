"""Options of the application on Ray Serve, which are the arguments in `deploy/ray/serve.yaml`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.settings import Settings


class ClusterOptions(BaseModel):
    """How many replicas run, what each reserves, and the settings of the service in each of them.

    Raises:
        pydantic.ValidationError: a value is out of range, or `settings` has a name or a value that `Settings` rejects.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_replicas: int = Field(1, ge=1, le=10_000, description="Replicas that always run.")
    max_replicas: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Most replicas under load. Unset: as many as `min_replicas`.",
    )
    target_requests: float = Field(
        8.0,
        gt=0,
        description="Requests in flight that Ray aims at in each replica; with more, it adds replicas.",
    )
    cpus: float = Field(1.0, gt=0, le=1024, description="CPUs that a replica reserves, and its threads for networks.")
    gpus: float = Field(0.0, ge=0, le=64, description="GPUs that a replica reserves; 0.25 puts four on one GPU.")
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description="Settings of the service by their names in lower case, without COLORCNN_. They precede the "
        "environment of the replica.",
    )

    @model_validator(mode="after")
    def _check(self) -> ClusterOptions:
        if self.max_replicas is not None and self.max_replicas < self.min_replicas:
            raise ValueError(f"max_replicas {self.max_replicas} is less than min_replicas {self.min_replicas}")
        self.service_settings()
        return self

    def service_settings(self) -> Settings:
        """Return the settings of a replica in the environment of this process."""
        return Settings(**self.settings)
