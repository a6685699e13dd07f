"""Settings are read from the environment, and nonsense is rejected."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings, environment_table, unknown_variables


def test_the_environment_sets_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORCNN_PORT", "9000")
    monkeypatch.setenv("COLORCNN_DEVICE", "cuda:1")

    assert (Settings().port, Settings().device) == (9000, "cuda:1")


@pytest.mark.parametrize("variable", ["COLORCNN_LOAD", "COLORCNN_PRELOAD", "colorcnn_preload"])
def test_the_networks_of_the_start_have_two_variables(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "all")

    assert Settings().load == "all"


def test_of_two_variables_the_documented_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORCNN_LOAD", "defaults")
    monkeypatch.setenv("COLORCNN_PRELOAD", "all")

    assert Settings().load == "defaults"


@pytest.mark.parametrize(("cpus", "workers", "compress_workers"), [(1, 2, 1), (2, 4, 2), (64, 4, 2)])
def test_one_cpu_gets_fewer_threads_and_processes(
    monkeypatch: pytest.MonkeyPatch, cpus: int, workers: int, compress_workers: int
) -> None:
    monkeypatch.setattr("service.settings.available_cpus", lambda: cpus)

    assert (Settings().workers, Settings().compress_workers) == (workers, compress_workers)
    monkeypatch.setenv("COLORCNN_WORKERS", "7")
    assert Settings().workers == 7


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass `${COLORCNN_DEVICE:-}` on as an empty string."""
    monkeypatch.setenv("COLORCNN_DEVICE", "")

    assert Settings().device == "auto"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COLORCNN_PORT", "70000"),
        ("COLORCNN_PORT", "http"),
        ("COLORCNN_DEVICE", "gpu"),
        ("COLORCNN_MAX_UPLOAD_BYTES", "0"),
        ("COLORCNN_MAX_FORM_PARTS", "0"),
        ("COLORCNN_MAX_PIXELS", "-1"),
        ("COLORCNN_QUEUE_SIZE", "0"),
        ("COLORCNN_QUEUE_TIMEOUT", "0"),
        ("COLORCNN_REQUEST_TIMEOUT", "0"),
        ("COLORCNN_WORKERS", "0"),
        ("COLORCNN_MAX_BATCH", "0"),
        ("COLORCNN_COMPRESS_QUEUE_SIZE", "0"),
        ("COLORCNN_COMPRESS_WORKERS", "0"),
        ("COLORCNN_COMPRESS_MAX_PIXELS", "0"),
        ("COLORCNN_COMPRESS_TIMEOUT", "0"),
        ("COLORCNN_BENCHMARK_QUEUE_SIZE", "0"),
        ("COLORCNN_BENCHMARK_MAX_PIXELS", "0"),
        ("COLORCNN_BENCHMARK_TIMEOUT", "0"),
        ("COLORCNN_LOG_LEVEL", "loud"),
        ("COLORCNN_LOG_FORMAT", "xml"),
        ("COLORCNN_API_KEYS", "short"),
        ("COLORCNN_API_KEYS", "long-enough-01234,"),
        ("COLORCNN_API_KEYS", "long-enough-01234, long-enough-56789"),
        ("COLORCNN_RATE_LIMIT", "0"),
        ("COLORCNN_RATE_BURST", "0"),
        ("COLORCNN_TRUSTED_PROXIES", "proxy"),
        ("COLORCNN_TRUSTED_PROXIES", "*,192.0.2.1"),
        ("COLORCNN_TRUSTED_PROXIES", "192.0.2.1/24"),
        ("COLORCNN_CORS_ORIGINS", "elsewhere.example"),
        ("COLORCNN_CORS_ORIGINS", "https://elsewhere.example/"),
        ("COLORCNN_HEADER_TIMEOUT", "0"),
        ("COLORCNN_MAX_HEADER_BYTES", "0"),
        ("COLORCNN_MODELS_FOLDER", "no/such/folder"),
    ],
)
def test_nonsense_is_rejected(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match=name.removeprefix("COLORCNN_").lower()):
        Settings()


# default, least and most of each number. Operators rely on them, so a change is one to announce.
INTEGERS: dict[str, tuple[int, int, int]] = {
    "port": (8000, 0, 65535),
    "rate_burst": (20, 1, 1_000_000),
    "max_header_bytes": (32_768, 1024, 1_048_576),
    "max_upload_bytes": (33_554_432, 1024, 2_147_483_648),
    "max_form_parts": (64, 1, 10_000),
    "max_pixels": (50_000_000, 1, 250_000_000),
    "max_cam_pixels": (4_000_000, 1024, 50_000_000),
    "queue_size": (32, 1, 10_000),
    "max_batch": (64, 1, 4096),
    "compress_queue_size": (8, 1, 1000),
    "compress_max_pixels": (16_000_000, 1, 250_000_000),
    "benchmark_queue_size": (4, 1, 1000),
    "benchmark_max_pixels": (12_000_000, 1, 250_000_000),
    "retry_after": (2, 1, 3600),
    "keep_alive_timeout": (5, 1, 3600),
    "shutdown_timeout": (25, 1, 3600),
}
NO_DEFAULT: dict[str, tuple[int, int]] = {
    "workers": (1, 256),
    "compress_workers": (1, 64),
    "rate_limit": (1, 1_000_000),
}
SECONDS: dict[str, tuple[float, float]] = {  # default and most; more than 0
    "header_timeout": (10, 3600),
    "upload_timeout": (60, 3600),
    "queue_timeout": (120, 3600),
    "request_timeout": (150, 3600),
    "compress_timeout": (60, 3600),
    "benchmark_timeout": (300, 86_400),
}


def test_defaults_are_the_documented_ones() -> None:
    defaults = {name: values[0] for name, values in (INTEGERS | SECONDS).items()} | {"shutdown_delay": 1}

    assert {name: getattr(Settings(), name) for name in defaults} == defaults
    assert (Settings().photograph_defaults, Settings().rate_limit) == (True, None)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        *((name, least, most) for name, (_, least, most) in INTEGERS.items()),
        *((name, least, most) for name, (least, most) in NO_DEFAULT.items()),
        *((name, 0.001, most) for name, (_, most) in SECONDS.items()),
        ("shutdown_delay", 0, 3600),
    ],
)
def test_a_number_may_have_every_value_of_its_range_and_no_other(name: str, least: float, most: float) -> None:
    for value in (least, most):
        assert getattr(Settings.model_validate({name: value}), name) == value
    for value in (0 if name in SECONDS else least - 1, most + 1):
        with pytest.raises(ValidationError, match=name):
            Settings.model_validate({name: value})


def test_every_number_has_a_range_in_this_test() -> None:
    numbers = {name for name, field in Settings.model_fields.items() if field.annotation in (int, float, int | None)}

    assert numbers == {*INTEGERS, *NO_DEFAULT, *SECONDS, "shutdown_delay"}


@pytest.mark.parametrize(("length", "accepted"), [(15, False), (16, True), (200, True), (201, False)])
def test_a_key_has_16_to_200_characters(monkeypatch: pytest.MonkeyPatch, length: int, accepted: bool) -> None:
    monkeypatch.setenv("COLORCNN_API_KEYS", f"{'k' * length},{'l' * 16}")

    if accepted:
        assert Settings().accepted_keys[0] == "k" * length
    else:
        with pytest.raises(ValidationError, match="16 to 200"):
            Settings()


@pytest.mark.parametrize("field", ["default_classifier", "default_photograph_classifier", "default_colorcnn"])
def test_a_name_of_a_model_has_1_to_200_characters(field: str) -> None:
    assert getattr(Settings.model_validate({field: "m" * 200}), field) == "m" * 200
    for name in ("", "m" * 201):
        with pytest.raises(ValidationError, match=field):
            Settings.model_validate({field: name})


def test_keys_are_split_and_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORCNN_API_KEYS", "old-0123456789-key,new-0123456789-key")

    assert Settings().accepted_keys == ("old-0123456789-key", "new-0123456789-key")
    assert "0123456789" not in f"{Settings()!r} {Settings().model_dump()}"


def test_without_keys_none_is_accepted() -> None:
    assert Settings().accepted_keys == ()


@pytest.mark.parametrize("proxies", ["*", "192.0.2.1", "192.0.2.0/24,2001:db8::1"])
def test_proxies_are_addresses_or_networks(monkeypatch: pytest.MonkeyPatch, proxies: str) -> None:
    monkeypatch.setenv("COLORCNN_TRUSTED_PROXIES", proxies)

    assert Settings().trusted_proxies == proxies


def test_a_models_folder_needs_a_manifest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLORCNN_MODELS_FOLDER", str(tmp_path))

    with pytest.raises(ValidationError, match=r"no manifest\.json"):
        Settings()


def test_settings_are_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


def test_unknown_variables_are_reported() -> None:
    read = ["COLORCNN_PORT", "colorcnn_host", "COLORCNN_DATA", "COLORCNN_PRELOAD", "PATH", "MY_COLORCNN_PORT"]
    unread = ["COLORCNN_", "COLORCNN_PROT", "colorcnn_prot"]

    assert unknown_variables(read) == ()
    assert unknown_variables([*reversed(unread), *read]) == tuple(unread)


def test_the_table_describes_every_setting() -> None:
    rows = environment_table()

    assert [name for name, _, _ in rows] == [f"COLORCNN_{name.upper()}" for name in Settings.model_fields]
    assert all(description for _, _, description in rows)
