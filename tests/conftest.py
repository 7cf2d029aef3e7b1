"""Markers and groups, loopback only, fixed seeds, and credentials that open nothing."""

from __future__ import annotations

import ipaddress
import os
import random
import signal
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

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
RELEASE, DOCKER = "release", "docker"
CONTAINER_VARIANT = "[container"
"""In the id of a test with the fixture `serve`, where that starts containers."""


def pytest_configure() -> None:
    # The same examples on every machine, however slow it is, and nothing left behind.
    hypothesis.settings.register_profile("house", derandomize=True, deadline=None, database=None)
    hypothesis.settings.load_profile("house")
    # A seed alone doesn't do: now and then Hypothesis draws a constant out of whichever of our
    # modules are loaded, and so by what ran before in the same process.
    no_constants = Constants()
    pytest.MonkeyPatch().setattr(providers, "_get_local_constants", lambda: no_constants)
    # A shell's background job is started with Ctrl-C ignored, and so would be whatever it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in list(os.environ):
        if name.startswith(FOREIGN_PREFIXES) and name not in KEPT:
            del os.environ[name]
    os.environ.update(CREDENTIALS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {RELEASE: 0, DOCKER: 1}
    items.sort(key=lambda item: order.get(group_of(item.nodeid), len(order)))
    for item in items:
        layer = item.path.relative_to(TESTS).parts[0]
        if layer in LAYERS:
            item.add_marker(getattr(pytest.mark, layer))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole groups, in the order of collection."""
    # Not at the top: a run in one process does without xdist. Its own --dist loadgroup finds no
    # group under pytest 9.2, which has changed how a test's id is kept.
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return GroupScheduling(config, log)


@cache
def group_of(nodeid: str) -> str:
    """Name the tests that run in one process, in order: those of a layer, an engine or a file."""
    path, _, test = nodeid.partition("::")
    if Path(path).parts[1] in RELEASE_LAYERS:
        return RELEASE
    needs_engine = CONTAINER_VARIANT in test or "docker_engine" in (TESTS.parent / path).read_text()
    return DOCKER if needs_engine else path


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
