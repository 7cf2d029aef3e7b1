"""Which runtime answers for an artifact, and what never does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.errors import ArtifactError, GoldenMismatchError
from server.forest import ForestRuntime, kernel
from server.onnx_runtime import OnnxRuntime
from server.runtimes import candidates, open_proven, read_artifact
from server.settings import RuntimeChoice, Settings
from tests.support.forests import add_forest
from tests.support.onnx_models import FittedModel, an_iris_classifier, change_json

AUTO, ONNX = Settings(), Settings(runtime=RuntimeChoice.ONNX)
needs_kernel = pytest.mark.skipif(
    kernel() is None, reason="greenlight_kernel is not built; `make setup` does, with a compiler"
)


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return add_forest(an_iris_classifier(tmp_path_factory.mktemp("forest"), trees=3))


@pytest.fixture
def artifact(forest: FittedModel, tmp_path: Path) -> Path:
    """A copy of the forest's artifact to damage."""
    return Path(shutil.copytree(forest.directory, tmp_path / "model"))


def chosen(directory: Path, settings: Settings) -> list[tuple[str, str]]:
    return [
        (candidate.name, candidate.reason)
        for candidate in candidates(read_artifact(directory, settings), settings)
    ]


@needs_kernel
def test_a_forest_goes_to_the_kernel_before_onnx_runtime(forest: FittedModel) -> None:
    assert [name for name, _ in chosen(forest.directory, AUTO)] == ["forest", "onnx"]


def test_the_settings_can_rule_the_kernel_out(forest: FittedModel) -> None:
    assert chosen(forest.directory, ONNX) == [("onnx", "GREENLIGHT_RUNTIME is onnx")]
    assert read_artifact(forest.directory, ONNX).schema.pack_rows is None


def test_a_model_without_a_forest_goes_to_onnx_runtime(tmp_path: Path) -> None:
    directory = an_iris_classifier(tmp_path, trees=2).directory

    assert chosen(directory, AUTO) == [("onnx", "the artifact has no forest.bin")]


@needs_kernel
def test_every_runtime_answers_alike(forest: FittedModel) -> None:
    artifact = read_artifact(forest.directory, AUTO)
    rows = {"X": forest.rows.astype(np.float32)}

    kernels, onnx = (open_proven(each, artifact) for each in candidates(artifact, AUTO))
    answers: list[Any] = [kernels.predict(rows), onnx.predict(rows)]

    assert isinstance(kernels, ForestRuntime)
    assert isinstance(onnx, OnnxRuntime)
    assert answers[0].class_indexes == answers[1].class_indexes
    assert answers[0].probabilities == pytest.approx(answers[1].probabilities, abs=1e-5)


@pytest.mark.parametrize("settings", [AUTO, ONNX], ids=["auto", "onnx"])
def test_no_runtime_serves_that_misses_the_golden_rows(artifact: Path, settings: Settings) -> None:
    golden = artifact / "golden.json"
    labels = json.loads(golden.read_text())["labels"]
    change_json(golden, labels=[(label + 1) % 3 for label in labels])
    read = read_artifact(artifact, settings)

    with pytest.raises(GoldenMismatchError, match="golden row 0"):
        open_proven(candidates(read, settings)[0], read)


@pytest.mark.parametrize("name", ["forest.bin", "model.onnx", "golden.json"])
@pytest.mark.parametrize("settings", [AUTO, ONNX], ids=["auto", "onnx"])
def test_a_file_that_changed_after_packaging_is_refused_whether_it_is_used_or_not(
    artifact: Path, name: str, settings: Settings
) -> None:
    with (artifact / name).open("ab") as file:
        file.write(b" ")

    with pytest.raises(ArtifactError, match=f"{name} has sha256 .* was changed after packaging"):
        read_artifact(artifact, settings)
