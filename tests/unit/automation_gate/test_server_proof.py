"""The server itself answers what the gate wants to know, from files that are nowhere else."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from automation.driver import ROOT
from automation.errors import ArtifactError
from automation.gate.packaging import package_trained
from automation.gate.server_proof import answers_of_server, load_in_server
from tests.support.trained_models import a_trained_model


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    packaged = package_trained("tiny", a_trained_model(), tmp_path_factory.mktemp("build"))
    with tarfile.open(packaged.artifact.archive) as tar:
        return {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]


def test_the_server_answers_what_the_estimator_does(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENLIGHT_PORT", "no port")
    rows = a_trained_model().live_rows[:3]
    bodies = [json.dumps({"instances": [row]}).encode() for row in rows.tolist()]

    answers = answers_of_server(ROOT, files, [*bodies, b'{"instances": [["x", 1]]}'])

    assert [answer["onnx"]["class_indexes"] for answer in answers[:3]] == [
        [int(label)] for label in a_trained_model().estimator.predict(rows)
    ]
    assert "error" in answers[3]


def test_an_artifact_the_server_refuses_is_refused_with_its_reason(
    files: dict[str, bytes],
) -> None:
    golden = json.loads(files["golden.json"])
    golden["labels"] = [1 - label for label in golden["labels"]]
    content = json.dumps(golden).encode()

    with pytest.raises(ArtifactError, match=r"the server refuses the artifact: .*golden\.json"):
        answers_of_server(ROOT, files | {"golden.json": content}, [])


def test_a_server_that_says_nothing_is_an_error_too(tmp_path: Path) -> None:
    (tmp_path / "container" / "server").mkdir(parents=True)
    (tmp_path / "container" / "server" / "__main__.py").write_text("raise SystemExit(1)")

    with pytest.raises(ArtifactError, match="the server refuses the artifact: it said nothing"):
        answers_of_server(tmp_path, {}, [])


def test_a_script_that_fails_on_the_golden_rows_is_found_with_its_line(
    files: dict[str, bytes],
) -> None:
    source = b"def predict_fn(data, model):\n    return model.no_such_method(data)\n"
    manifest = json.loads(files["manifest.json"])
    manifest["script"] = "code/inference.py"
    manifest["files"]["code/inference.py"] = hashlib.sha256(source).hexdigest()
    scripted = files | {
        "code/inference.py": source,
        "manifest.json": json.dumps(manifest).encode(),
    }

    load_in_server(ROOT, files)
    with pytest.raises(ArtifactError, match=r"inference\.py: predict_fn, line 2: .*no_such_method"):
        load_in_server(ROOT, scripted)
