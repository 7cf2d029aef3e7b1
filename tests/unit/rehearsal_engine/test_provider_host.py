"""Only attached and dynamic providers are reached."""

from __future__ import annotations

import pytest

from rehearsal.engine.errors import EngineError
from rehearsal.engine.operation import Target
from rehearsal.engine.provider_host import ProviderHost, attached_port


@pytest.fixture
def host() -> ProviderHost:
    target = Target(project="p", project_root="/", program_directory="/", stack="dev")
    return ProviderHost(target, lambda line, kind: None)


def test_the_port_of_an_attached_provider_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", "aws:1234,docker:5678")

    assert attached_port("docker") == 5678
    assert attached_port("gcp") is None


def test_a_malformed_list_of_attached_providers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", "aws=1234")

    with pytest.raises(EngineError, match=r"'aws=1234'.*package:port"):
        attached_port("aws")


def test_a_package_that_is_not_attached_is_refused_with_what_to_do(
    host: ProviderHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_DEBUG_PROVIDERS", raising=False)

    with pytest.raises(EngineError, match=r"pulumi-resource-gcp.*PULUMI_DEBUG_PROVIDERS=gcp:PORT"):
        host.connect("gcp")
