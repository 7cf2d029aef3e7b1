"""What several contract tests share and is slow to come by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.docker_engine import DockerEngine, running_engine


@pytest.fixture(scope="session")
def docker_engine(request: pytest.FixtureRequest) -> Iterator[DockerEngine]:
    yield from running_engine(request.config)
