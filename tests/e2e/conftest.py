"""A rehearsal for a story to play in, and what the cloud says of itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from rehearsal import session as sessions

ROOT = Path(__file__).resolve().parents[2]
SPEED = 30.0


@dataclass(frozen=True)
class Cloud:
    """The rehearsal cloud as an outsider sees it."""

    session: sessions.Session

    def get(self, what: str) -> dict[str, Any]:
        return sessions.ask(self.session, what)

    def endpoint(self, name: str) -> dict[str, Any]:
        return dict(boto3.client("sagemaker").describe_endpoint(EndpointName=name))

    def config_names(self) -> set[str]:
        answer = boto3.client("sagemaker").list_endpoint_configs(MaxResults=100)
        return {config["EndpointConfigName"] for config in answer["EndpointConfigs"]}

    def model_names(self) -> set[str]:
        answer = boto3.client("sagemaker").list_models(MaxResults=100)
        return {model["ModelName"] for model in answer["Models"]}


@contextmanager
def a_rehearsal(directory: Path, root: Path = ROOT) -> Iterator[Cloud]:
    """Start a rehearsal of a project, stand in its environment, and leave nothing behind."""
    session = sessions.start(
        directory, root=root, engine=sessions.choose_engine(os.environ), speed=SPEED
    )
    patch = pytest.MonkeyPatch()
    for name, value in sessions.environment(session, os.environ).items():
        patch.setenv(name, value)
    try:
        yield Cloud(session)
    finally:
        patch.undo()
        sessions.stop(directory)
