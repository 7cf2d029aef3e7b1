"""Markers and groups, loopback only, fixed seeds, and credentials that open nothing."""

from __future__ import annotations

import ipaddress
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

TESTS = Path(__file__).parent
LAYERS = ("unit", "contract", "integration", "e2e", "repo")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
# A developer's own settings must not leak into a test.
FOREIGN_PREFIXES = ("PULUMI_", "GREENLIGHT_", "AWS_")
KEPT = {"GREENLIGHT_ENGINE"}
# `make test` runs groups side by side and each group in one process. These layers stay together, as
# they work in the project's own folders; they are the longest and start first.
RELEASE_LAYERS = {"e2e", "integration", "repo"}
ENGINE_FIXTURE = "docker_engine"


def pytest_configure() -> None:
    # The same examples on every machine, however slow it is, and nothing left behind.
    hypothesis.settings.register_profile("house", derandomize=True, deadline=None, database=None)
    hypothesis.settings.load_profile("house")
    for name in list(os.environ):
        if name.startswith(FOREIGN_PREFIXES) and name not in KEPT:
            del os.environ[name]
    os.environ.update(CREDENTIALS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    with_engine = {
        item.path for item in items if ENGINE_FIXTURE in getattr(item, "fixturenames", ())
    }
    groups = {
        item: group_of(item.path, item.path in with_engine or serves_a_container(item))
        for item in items
    }
    order = {"release": 0, "docker": 1}
    items.sort(key=lambda item: order.get(groups[item], len(order)))
    for item in items:
        layer = item.path.relative_to(TESTS).parts[0]
        if layer in LAYERS:
            item.add_marker(getattr(pytest.mark, layer))
        item.add_marker(pytest.mark.xdist_group(groups[item]))


def serves_a_container(item: pytest.Item) -> bool:
    """Tell whether a test is the container's variant of one that takes the fixture `serve`."""
    variant = getattr(item, "callspec", None)
    return variant is not None and variant.params.get("serve") == "container"


def group_of(path: Path, needs_docker: bool) -> str:
    """Name the tests that run in one process, in order: those of a layer, an engine or a file."""
    folder = path.relative_to(TESTS)
    if folder.parts[0] in RELEASE_LAYERS:
        return "release"
    return "docker" if needs_docker else str(folder)


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    random.seed(42)
    np.random.seed(42)


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Refuse every connection that would leave the machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise RuntimeError(f"a test tried to connect to {address[0]}; only loopback is allowed")
        connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
