"""An artifact that comes back is taken only as it was packaged, and proven anew."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automation.archive import files_from_archive
from automation.artifact import archive_bytes, json_bytes
from automation.driver import ROOT
from automation.errors import ArtifactError, EstimatorFileError, ScriptError, VersionDriftError
from automation.gate.model_data import ModelData
from automation.gate.own_artifact import check_own, is_own
from automation.gate.packaging import package_trained
from tests.support.trained_models import a_trained_model

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Files:
    kept = package_trained("tiny", a_trained_model(), tmp_path_factory.mktemp("build"))
    return files_from_archive(kept.artifact.archive.read_bytes(), "it")


def the_data(files: Files) -> ModelData:
    return ModelData(
        name="s3://b/model.tar.gz",
        label="model.tar.gz",
        content=archive_bytes(files),
        files=files,
        is_archive=True,
    )


def with_manifest(held: Files, /, **changes: Any) -> Files:
    manifest = json.loads(held["manifest.json"]) | changes
    return held | {"manifest.json": json_bytes(manifest)}


def relisted(files: Files, **more: bytes) -> Files:
    """Files whose manifest lists them all rightly: a forger would do so, too."""
    held = files | more
    listed = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in held.items()
        if name != "manifest.json"
    }
    return with_manifest(held, files=listed)


def test_an_artifact_as_it_was_packaged_is_taken(packaged: Files) -> None:
    data = the_data(packaged)

    manifest, warnings = check_own(data, "tiny", ROOT, allow_pickle=False)

    assert is_own(data)
    assert manifest["model"] == "tiny"
    assert warnings == ()


def test_an_archive_with_an_estimator_alone_is_not_one_of_greenlights() -> None:
    assert not is_own(the_data({"model.skops": b""}))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda files: with_manifest(files, model="wine"), "is an artifact of model 'wine'"),
        (lambda files: with_manifest(files, schema_version=1), "schema_version 1; this"),
        (lambda files: files | {"manifest.json": b"[]"}, r"schema_version \[\]"),
        (lambda files: files | {"manifest.json": b"{"}, "is not JSON"),
        (lambda files: with_manifest(files, runtime="torch"), "with runtime 'torch'; package"),
        (lambda files: with_manifest(files, files=None), "with files None; package it again"),
        (lambda files: with_manifest(files, estimator=1), "with estimator 1; package it again"),
        (lambda files: files | {"extra": b""}, "says otherwise of extra; package it again"),
        (lambda files: files | {"model.onnx": b"x"}, r"says otherwise of model\.onnx"),
        (
            lambda files: {name: files[name] for name in files if name != "model.onnx"},
            r"says otherwise of model\.onnx",
        ),
    ],
)  # fmt: skip
def test_an_artifact_that_is_not_as_packaged_is_refused(
    changed: Callable[[Files], Files], message: str, packaged: Files
) -> None:
    with pytest.raises(ArtifactError, match=rf"s3://b/model\.tar\.gz .*{message}"):
        check_own(the_data(changed(packaged)), "tiny", ROOT, allow_pickle=False)


def test_wrong_golden_answers_are_found_though_every_digest_fits(packaged: Files) -> None:
    golden = json.loads(packaged["golden.json"])
    golden["labels"] = [1 - label for label in golden["labels"]]
    forged = relisted(packaged, **{"golden.json": json_bytes(golden)})

    with pytest.raises(ArtifactError, match="the server refuses the artifact"):
        check_own(the_data(forged), "tiny", ROOT, allow_pickle=False)


def test_an_artifact_proven_with_another_version_is_refused(packaged: Files) -> None:
    old = with_manifest(packaged, versions={"onnxruntime": "1.0.0"})
    serving = importlib.metadata.version("onnxruntime")

    with pytest.raises(VersionDriftError) as refusal:
        check_own(the_data(old), "tiny", ROOT, allow_pickle=False)

    assert f"onnxruntime 1.0.0 where container/requirements.lock has {serving}" in str(
        refusal.value
    )


def test_a_pickle_in_an_artifact_has_to_be_allowed(packaged: Files) -> None:
    forged = relisted(packaged, **{"model.joblib": b""})

    with pytest.raises(EstimatorFileError, match=r"holds model\.joblib, a pickle"):
        check_own(the_data(forged), "tiny", ROOT, allow_pickle=False)


def test_a_script_in_an_artifact_is_checked_again(packaged: Files) -> None:
    forged = relisted(packaged, **{"code/inference.py": b"def predict_fn(x): ..."})

    with pytest.raises(ScriptError, match="predict_fn in line 1 cannot be called with 2 arguments"):
        check_own(the_data(forged), "tiny", ROOT, allow_pickle=False)


def test_the_lock_decides_which_versions_fit(packaged: Files, tmp_path: Path) -> None:
    (tmp_path / "container").mkdir()
    (tmp_path / "container" / "requirements.lock").write_text("onnxruntime==0.1\n")

    with pytest.raises(VersionDriftError, match=r"where container/requirements\.lock has 0\.1"):
        check_own(the_data(packaged), "tiny", tmp_path, allow_pickle=False)
