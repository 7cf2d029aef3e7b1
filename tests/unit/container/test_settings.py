"""The server's settings from its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.errors import SettingsError
from server.settings import Settings, settings_from_environment


def test_an_empty_environment_gives_the_platform_defaults() -> None:
    settings = settings_from_environment({})

    assert settings == Settings()
    assert (settings.port, settings.model_directory) == (8080, Path("/opt/ml/model"))
    assert settings.max_body_bytes == 6_291_456


def test_the_platforms_variables_are_followed() -> None:
    environment = {"SAGEMAKER_BIND_TO_PORT": "9001", "SM_MODEL_DIR": "/models/iris"}

    settings = settings_from_environment(environment)

    assert (settings.port, settings.model_directory) == (9001, Path("/models/iris"))


@pytest.mark.parametrize(
    "name",
    ["SAGEMAKER_BIND_TO_PORT", "SM_MODEL_DIR", "GREENLIGHT_BIND_ADDRESS", "SAGEMAKER_PROGRAM"],
)
def test_an_empty_value_counts_as_left_out(name: str) -> None:
    assert settings_from_environment({name: ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "http", "'http'; give a whole number from 1 to 65535"),
        ("SAGEMAKER_BIND_TO_PORT", "0", "'0'; give a whole number from 1 to 65535"),
        ("SAGEMAKER_BIND_TO_PORT", "-8080", "'-8080'; give a whole number from 1 to 65535"),
        ("GREENLIGHT_MAX_BODY_BYTES", "6MB", "'6MB'; give a whole number from 1024 to 104857600"),
        ("GREENLIGHT_MAX_ROWS", "1" * 5000, "give a whole number from 1 to 1000000"),
        ("GREENLIGHT_INLINE_ROWS", "1.5", "'1.5'; give a whole number from 0 to 1000000"),
        ("GREENLIGHT_DRAIN_SECONDS", "٣", "'٣'; give a whole number from 1 to 3600"),
        ("GREENLIGHT_BODY_TIMEOUT_SECONDS", "0", "'0'; give a whole number from 1 to 3600"),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "25", "give one of 10, 20, 30, 40, 50"),
        ("GREENLIGHT_RUNTIME", "kernel", "'kernel'; give auto or onnx, or leave it out for auto"),
        ("SAGEMAKER_MULTI_MODEL", "many", "'many'; give false or true, or leave it out for false"),
        ("GREENLIGHT_MODEL_EVICTION", "lru", "'lru'; give platform or server"),
        ("GREENLIGHT_MODEL_MEMORY_BYTES", "1GB", "'1GB'; give a whole number from 0 to"),
    ],
)
def test_a_wrong_value_is_refused_by_name_with_what_is_allowed(
    name: str, value: str, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_from_environment({name: value})

    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"{name} is ")
    assert message in caught.value.problems[0]


def test_all_wrong_values_are_told_at_once() -> None:
    environment = {"SAGEMAKER_BIND_TO_PORT": "x", "GREENLIGHT_MAX_ROWS": "y"}

    with pytest.raises(SettingsError) as caught:
        settings_from_environment(environment)

    assert len(caught.value.problems) == 2


def test_a_server_of_many_models_is_told_so_by_the_platform() -> None:
    environment = {
        "SAGEMAKER_MULTI_MODEL": "True",
        "GREENLIGHT_MODEL_MEMORY_BYTES": "5000",
        "GREENLIGHT_MODEL_EVICTION": "server",
    }

    settings = settings_from_environment(environment)

    assert (settings.is_multi_model, settings.makes_room) == (True, True)
    assert settings.model_memory_bytes == 5000


@pytest.mark.parametrize(
    ("megabytes", "max_body_bytes"), [("", 6_291_456), ("2", 2_097_152), ("0", 104_857_600)]
)
def test_a_batch_job_sends_bodies_as_large_as_it_says_and_rows_uncounted(
    megabytes: str, max_body_bytes: int
) -> None:
    job = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": megabytes}

    settings = settings_from_environment(job)
    limited = settings_from_environment(
        {**job, "GREENLIGHT_MAX_BODY_BYTES": "4096", "GREENLIGHT_MAX_ROWS": "10"}
    )

    assert (settings.max_body_bytes, settings.max_rows) == (max_body_bytes, 1_000_000)
    assert (limited.max_body_bytes, limited.max_rows) == (4096, 10)


def test_the_payload_of_a_batch_job_means_nothing_to_an_endpoint() -> None:
    assert settings_from_environment({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "50"}) == Settings()
