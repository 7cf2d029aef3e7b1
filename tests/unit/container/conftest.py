"""What several tests share: an artifact to change, and no script left behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.onnx_models import FittedModel, an_iris_classifier
from tests.support.scripts import scripts_forgotten


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"), trees=3)


@pytest.fixture
def artifact(iris: FittedModel, tmp_path: Path) -> Path:
    """A copy of the iris artifact to change: to damage it, or to put scripts into it."""
    return Path(shutil.copytree(iris.directory, tmp_path / "model"))


@pytest.fixture(autouse=True)
def _forget_scripts() -> Iterator[None]:
    with scripts_forgotten():
        yield
