"""Where a Docker engine is, and whether its containers can be seen from here."""

from __future__ import annotations

import sys

import pytest

from rehearsal.cloud.fleets.docker_engine import engine_address, shares_network


class Engine:
    """An engine that says what it runs on."""

    def __init__(self, system: str) -> None:
        self._system = system

    def info(self) -> dict[str, str]:
        return {"OperatingSystem": self._system}


def test_the_engine_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere.sock")

    assert engine_address() == "unix:///elsewhere.sock"


@pytest.mark.skipif(sys.platform != "linux", reason="an engine of this kernel needs Linux")
@pytest.mark.parametrize(
    ("system", "shared"), [("Debian GNU/Linux 12 (bookworm)", True), ("Docker Desktop", False)]
)
def test_only_an_engine_of_this_machines_kernel_shares_its_network(
    system: str, shared: bool
) -> None:
    assert shares_network(Engine(system)) is shared
