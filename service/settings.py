"""Settings of the service, read from `COLORCNN_*` environment variables and checked before anything starts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, DirectoryPath, Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.runtime.logs import LogFormat

PREFIX = "COLORCNN_"
_API_KEY = re.compile(r"[!-+\--~]{16,200}")  # printable ASCII without blanks and commas
_VARIABLES_OF_TRAINING = frozenset({"COLORCNN_DATA"})

Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)]
LogFormatName = Annotated[LogFormat, BeforeValidator(str.lower)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Settings(BaseSettings):
    """Everything that an operator can set. Each field is the environment variable `COLORCNN_<NAME>` in capitals.

    Raises:
        pydantic.ValidationError: a value is out of range, or a folder does not exist.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    log_level: LogLevel = Field("info", description="Least severe line logged: debug, info, warning or error.")
    log_format: LogFormatName = Field(
        "text", description="Log lines as `text` for people, or as `json` for a collector, which the image sets."
    )

    device: Device = Field("auto", description="`cpu`, `cuda`, `cuda:1`, or `auto`: CUDA when there is one, else CPU.")
    models_folder: DirectoryPath | None = Field(
        None, description="Folder with a manifest.json and its checkpoints; unset: the models that ship here."
    )
    default_classifier: ModelName | None = Field(
        None, description="Classifier for requests that name no model; unset: the manifest's default."
    )
    default_colorcnn: ModelName | None = Field(
        None, description="Quantizer network for requests that name no model; unset: the manifest's default."
    )

    api_keys: SecretStr | None = Field(
        None,
        description="Keys of 16 or more characters, with commas between; a request must carry one. Unset: none.",
    )
    rate_limit: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Requests a minute of one key, or of one address without keys; more are answered 429. Unset: any.",
    )
    rate_burst: int = Field(
        20, ge=1, le=1_000_000, description="Requests that a client may make at once before the rate limit counts."
    )
    trusted_proxies: str | None = Field(
        None,
        description="Addresses and networks of proxies whose X-Forwarded-For names the client, with commas between, or "
        "`*`. Unset: none.",
    )
    cors_origins: str | None = Field(
        None,
        pattern=r"^(\*|https?://[^/,\s]+(,https?://[^/,\s]+)*)$",
        description="Origins of web pages whose scripts may ask, with commas between, or `*`. Unset: none.",
    )
    header_timeout: float = Field(
        10.0, gt=0, le=3600, description="Seconds a client has to send the head of a request; then it is cut off."
    )
    max_header_bytes: int = Field(
        32 * 1024, ge=1024, le=2**20, description="Largest head of a request, in bytes; more is answered 431."
    )

    max_upload_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, le=2**31, description="Largest request body, in bytes; more is answered 413."
    )
    max_form_parts: int = Field(
        64, ge=1, le=10_000, description="Most files, and most other fields, of one form; more are answered 400."
    )
    # One number for every K: what quantizers need beside the image and its index map does not grow with K, as they work
    # on tiles and bands of bounded size. How many images are in memory at once, `workers` says.
    max_pixels: int = Field(
        50_000_000, ge=1, le=250_000_000, description="Largest image, in pixels (width x height); more is answered 413."
    )
    max_cam_pixels: int = Field(
        4_000_000,
        ge=1024,
        le=50_000_000,
        description="Pixels of a drawn activation map; larger images are scaled down.",
    )
    upload_timeout: float = Field(60.0, gt=0, le=3600, description="Seconds a client has to send its request body.")

    queue_size: int = Field(
        32,
        ge=1,
        le=10_000,
        description="Requests inside at once (uploading, waiting or working); more are answered 503.",
    )
    queue_timeout: float = Field(
        120.0, gt=0, le=3600, description="Seconds that an image may wait for the device; more is answered 503."
    )
    request_timeout: float = Field(
        150.0,
        gt=0,
        le=3600,
        description="Seconds that /quantize and /classify may take after the upload, waiting included; more is "
        "answered 504.",
    )
    workers: int = Field(
        4, ge=1, le=256, description="Images decoded at once, and encoded; one more of the largest fit into memory."
    )
    max_batch: int = Field(
        64, ge=1, le=4096, description="Most requests that the device serves at once, where they ask for the same."
    )
    compress_queue_size: int = Field(
        8, ge=1, le=1000, description="Requests to /compress inside at once; more are answered 503."
    )
    compress_workers: int = Field(
        2, ge=1, le=64, description="Images compressed at once, each in a process that uses two cores."
    )
    compress_max_pixels: int = Field(
        16_000_000,
        ge=1,
        le=250_000_000,
        description="Largest image that is compressed, in pixels, with `mode=auto` an eighth; more is answered 413.",
    )
    compress_timeout: float = Field(
        60.0, gt=0, le=3600, description="Seconds that compressing may take, waiting included; more is answered 504."
    )
    benchmark_queue_size: int = Field(
        4, ge=1, le=1000, description="Benchmarks inside at once, one of them working; more are answered 503."
    )
    benchmark_max_pixels: int = Field(
        12_000_000, ge=1, le=250_000_000, description="Largest image of a benchmark, in pixels; its rows say so."
    )
    benchmark_timeout: float = Field(
        300.0, gt=0, le=86400, description="Seconds of work that a benchmark gets; its other rows say `out-of-time`."
    )
    retry_after: int = Field(2, ge=1, le=3600, description="Seconds that a 503 answer asks the client to wait.")
    keep_alive_timeout: int = Field(5, ge=1, le=3600, description="Seconds an idle connection stays open.")
    shutdown_delay: float = Field(
        1.0, ge=0, le=3600, description="Seconds that the port stays open after SIGTERM, new requests answered 503."
    )
    shutdown_timeout: int = Field(25, ge=1, le=3600, description="Seconds that running requests then get to end.")

    @property
    def accepted_keys(self) -> tuple[str, ...]:
        """The API keys; none where any client may ask."""
        return tuple(self.api_keys.get_secret_value().split(",")) if self.api_keys else ()

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None and not all(map(_API_KEY.fullmatch, keys.get_secret_value().split(","))):
            raise ValueError("each key must have 16 to 200 printable ASCII characters, with only a comma between keys")
        return keys

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, proxies: str | None) -> str | None:
        for proxy in proxies.split(",") if proxies and proxies != "*" else ():
            ipaddress.ip_network(proxy)  # uvicorn takes what it does not understand for the name of a socket
        return proxies

    @field_validator("models_folder")
    @classmethod
    def _holds_a_manifest(cls, folder: Path | None) -> Path | None:
        if folder is not None and not (folder / "manifest.json").is_file():
            raise ValueError(f"{folder} holds no manifest.json; point it at a folder written by training.publish")
        return folder


def variable(field: str) -> str:
    """The environment variable that sets `field`."""
    return PREFIX + field.upper()


def unknown_variables(names: Iterable[str]) -> tuple[str, ...]:
    """The `COLORCNN_*` variables among `names` that nothing in this project reads, such as a misspelt setting.

    Case does not matter, as when settings are read.
    """
    known = _VARIABLES_OF_TRAINING.union(map(variable, Settings.model_fields))
    return tuple(sorted(name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known))


def environment_table() -> tuple[tuple[str, str, str], ...]:
    """Rows (variable, default, description) of every setting, in the order in which they are declared."""
    return tuple(
        (variable(name), "" if field.default is None else str(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    )
