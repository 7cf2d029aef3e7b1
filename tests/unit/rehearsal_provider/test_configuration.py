"""The provider's configuration."""

from __future__ import annotations

import pytest

from rehearsal.provider.configuration import configuration_failures, configuration_from
from rehearsal.provider.registry import AWS, DOCKER

CLOUD = "http://127.0.0.1:5000"


def test_structured_settings_come_as_json_text() -> None:
    found = configuration_from(
        {"region": "eu-west-1", "defaultTags": '{"tags": {"team": "ml"}}'}, {}
    )

    assert found.region == "eu-west-1"
    assert found.tagging.defaults == {"team": "ml"}


def test_the_region_falls_back_to_the_environment() -> None:
    assert configuration_from({}, {"AWS_REGION": "eu-west-1"}).region == "eu-west-1"
    assert configuration_from({}, {}).region is None


@pytest.mark.parametrize(
    "inputs",
    [
        {"region": "eu-west-1", "version": "7.51.1", "__internal": {}},
        {"skipCredentialsValidation": "true", "endpoints": f'[{{"s3": "{CLOUD}"}}]'},
        {"useFipsEndpoint": "false"},
    ],
)
def test_what_a_rehearsal_can_honour_is_taken(inputs: dict[str, object]) -> None:
    assert configuration_failures(AWS, inputs, CLOUD) == []


@pytest.mark.parametrize(
    ("inputs", "name", "reason"),
    [
        ({"nonsense": "1"}, "nonsense", "invalid or unknown key 'nonsense'"),
        ({"profile": "mine"}, "profile", "'profile' is not supported in a rehearsal"),
        (
            {"endpoints": '[{"s3": "https://s3.amazonaws.com"}]'},
            "endpoints.s3",
            "a rehearsal calls http://127.0.0.1:5000 only",
        ),
    ],
)
def test_what_it_cannot_is_refused_by_name(
    inputs: dict[str, object], name: str, reason: str
) -> None:
    (failure,) = configuration_failures(AWS, inputs, CLOUD)

    assert failure.property == name
    assert reason in failure.reason


def test_dockers_registries_are_refused() -> None:
    (failure,) = configuration_failures(DOCKER, {"registryAuth": '[{"address": "x"}]'}, CLOUD)

    assert failure.property == "registryAuth"
