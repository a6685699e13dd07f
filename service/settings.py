"""Settings of the service, read from `COLORCNN_*` environment variables and validated before anything starts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, BeforeValidator, DirectoryPath, Field, SecretStr, StringConstraints, field_validator
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.threads import available_cpus
from service.runtime.logs import LogFormat

PREFIX = "COLORCNN_"
_API_KEY = re.compile(r"[!-+\--~]{16,200}")  # printable ASCII without blanks and commas
_OTHER_VARIABLES = frozenset({"COLORCNN_DATA", "COLORCNN_API_KEY"})  # of training, and of the command
_LOAD = AliasChoices("COLORCNN_LOAD", "COLORCNN_PRELOAD")

Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)]
LogFormatName = Annotated[LogFormat, BeforeValidator(str.lower)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Settings(BaseSettings):
    """Settings of an operator. The environment variable `COLORCNN_<NAME>`, in capitals, sets each field.

    Raises:
        pydantic.ValidationError: a value is out of range, or a folder does not exist.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, populate_by_name=True
    )

    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 listens on every interface."
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    log_level: LogLevel = Field("info", description="Lowest level that is logged: debug, info, warning or error.")
    log_format: LogFormatName = Field(
        "text",
        description="Form of the log: `text` for people, or `json` for a collector. The container image sets `json`.",
    )

    device: Device = Field("auto", description="`cpu`, `cuda`, `cuda:1`, or `auto`: CUDA if available, else the CPU.")
    models_folder: DirectoryPath | None = Field(
        None,
        description="Folder with a manifest.json and its checkpoints. Unset: the models that ship with the project.",
    )
    default_classifier: ModelName | None = Field(
        None, description="Classifier for requests that name no model. Unset: the default of the manifest."
    )
    photograph_defaults: bool = Field(
        True,
        description="Whether requests without `method` and `model` get `refined_fast` and the classifier of "
        "photographs for a photograph: an image whose shorter side has more than twice the native size of the default "
        "network. `false`: they get the default network, as for smaller images.",
    )
    default_photograph_classifier: ModelName | None = Field(
        None,
        description="Classifier of photographs. Unset: COLORCNN_DEFAULT_CLASSIFIER or, if that is unset too, the "
        "photograph classifier of the manifest.",
    )
    default_colorcnn: ModelName | None = Field(
        None, description="Quantizer network for requests that name no model. Unset: the default of the manifest."
    )

    load: str = Field(
        "defaults",
        validation_alias=_LOAD,
        pattern=r"^[^,\s]+(,[^,\s]+)*$",
        max_length=10_000,
        description="Networks that are loaded at the start: `defaults` for those that requests without a model need, "
        "`all`, `none`, or names separated by commas. Any other network is loaded by the first request that names it; "
        "its file is checked at the start. COLORCNN_PRELOAD is another name of this setting.",
    )

    api_keys: SecretStr | None = Field(
        None,
        description="API keys of 16 to 200 characters, separated by commas; a request must carry one. Unset: no key "
        "is needed.",
    )
    rate_limit: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Requests per minute of one key or, without keys, of one address; more get 429. Unset: no limit.",
    )
    rate_burst: int = Field(
        20, ge=1, le=1_000_000, description="Requests that a client may send at once before the rate limit applies."
    )
    trusted_proxies: str | None = Field(
        None,
        description="Addresses and networks of proxies whose X-Forwarded-For names the client, separated by commas, "
        "or `*` for all. Unset: none.",
    )
    cors_origins: str | None = Field(
        None,
        pattern=r"^(\*|https?://[^/,\s]+(,https?://[^/,\s]+)*)$",
        description="Origins of web pages whose scripts may send requests, separated by commas, or `*` for all. "
        "Unset: none.",
    )
    header_timeout: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds that a client has to send the head of a request before its connection is closed.",
    )
    max_header_bytes: int = Field(
        32 * 1024, ge=1024, le=2**20, description="Largest head of a request, in bytes; a larger one gets 431."
    )

    max_upload_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, le=2**31, description="Largest request body, in bytes; a larger one gets 413."
    )
    max_form_parts: int = Field(
        64, ge=1, le=10_000, description="Largest number of files, and of other fields, in one form; more get 400."
    )
    # One limit for every number of colors: beside the image and its index map, quantizers need memory for tiles and
    # bands of bounded size only. `workers` limits how many images are in memory at once.
    max_pixels: int = Field(
        50_000_000,
        ge=1,
        le=250_000_000,
        description="Largest image, in pixels (width x height); a larger one gets 413.",
    )
    max_cam_pixels: int = Field(
        4_000_000,
        ge=1024,
        le=50_000_000,
        description="Largest drawn activation map, in pixels; larger images are scaled down.",
    )
    upload_timeout: float = Field(
        60.0, gt=0, le=3600, description="Seconds that a client has to send the request body; after that, 408."
    )

    queue_size: int = Field(
        32,
        ge=1,
        le=10_000,
        description="Requests in flight at once (uploading, waiting or working), of which half may have images of more "
        "than 8 megapixels; more get 503.",
    )
    queue_timeout: float = Field(
        120.0, gt=0, le=3600, description="Seconds that an image may wait for the device; after that, 503."
    )
    request_timeout: float = Field(
        150.0,
        gt=0,
        le=3600,
        description="Seconds that /quantize and /classify may take after the upload, waiting included; after that, "
        "504.",
    )
    workers: int = Field(
        default_factory=lambda: min(4, 2 * available_cpus()),
        ge=1,
        le=256,
        description="Images of up to 1 megapixel decoded at once, and encoded at once; half as many of up to 8, and of "
        "more. Memory must fit this number and one more of the largest images. Unset: 4, or 2 where one CPU is "
        "available.",
    )
    max_batch: int = Field(
        64, ge=1, le=4096, description="Largest batch: requests with equal options that the device serves at once."
    )
    compress_queue_size: int = Field(
        8, ge=1, le=1000, description="Requests to /compress in flight at once; more get 503."
    )
    compress_workers: int = Field(
        default_factory=lambda: min(2, available_cpus()),
        ge=1,
        le=64,
        description="Images compressed at once, each in a process of its own that uses two cores. Unset: 2, or 1 where "
        "one CPU is available.",
    )
    compress_max_pixels: int = Field(
        16_000_000,
        ge=1,
        le=250_000_000,
        description="Largest image for /compress, in pixels (an eighth with `mode=auto`); a larger one gets 413.",
    )
    compress_timeout: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Seconds that /compress may take after the upload, waiting included; after that, 504.",
    )
    benchmark_queue_size: int = Field(
        4, ge=1, le=1000, description="Benchmarks in flight at once, of which one is running; more get 503."
    )
    benchmark_max_pixels: int = Field(
        12_000_000,
        ge=1,
        le=250_000_000,
        description="Largest image of a benchmark, in pixels; the rows of a larger one carry an error.",
    )
    benchmark_timeout: float = Field(
        300.0, gt=0, le=86400, description="Seconds that a benchmark may run; later rows carry the error `out-of-time`."
    )
    retry_after: int = Field(2, ge=1, le=3600, description="Seconds that a 503 response asks the client to wait.")
    keep_alive_timeout: int = Field(5, ge=1, le=3600, description="Seconds that an idle connection stays open.")
    shutdown_delay: float = Field(
        1.0, ge=0, le=3600, description="Seconds that the port stays open after SIGTERM; new requests get 503."
    )
    shutdown_timeout: int = Field(25, ge=1, le=3600, description="Seconds that running requests then have to finish.")

    @property
    def accepted_keys(self) -> tuple[str, ...]:
        """API keys; empty if the service needs no key."""
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
            ipaddress.ip_network(proxy)  # uvicorn accepts anything else as the name of a socket
        return proxies

    @field_validator("models_folder")
    @classmethod
    def _holds_a_manifest(cls, folder: Path | None) -> Path | None:
        if folder is not None and not (folder / "manifest.json").is_file():
            raise ValueError(f"{folder} holds no manifest.json; point it at a folder written by training.publish")
        return folder


def variable(field: str) -> str:
    """Return the environment variable that sets `field`; a field with several variables may be given as the first."""
    return PREFIX + field.upper().removeprefix(PREFIX)


def unknown_variables(names: Iterable[str]) -> tuple[str, ...]:
    """Return the `COLORCNN_*` variables among `names` that nothing in this project reads, such as a misspelled setting.

    Case is ignored, as for the settings themselves.
    """
    known = _OTHER_VARIABLES.union(map(variable, Settings.model_fields), map(str, _LOAD.choices))
    return tuple(sorted(name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known))


def environment_table() -> tuple[tuple[str, str, str], ...]:
    """Return a row (variable, default, description) for every setting, in the order of declaration."""
    return tuple(
        (
            variable(name),
            "" if field.default in (None, PydanticUndefined) else str(field.default),
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    )
