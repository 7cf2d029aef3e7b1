"""An estimator gets its rows, and a script its place, wherever the two come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from skops import io as skops_io

from automation.driver import ROOT
from automation.errors import EstimatorFileError, ScriptError, SourceError
from automation.gate.inference_script import script_from_files
from automation.gate.model_data import ModelData
from automation.gate.origin import from_data, import_warnings
from automation.spec import ModelSpec, Runtime, load_spec

SCRIPT = b"def predict_fn(data, model):\n    return model.predict(data)\n"
ESTIMATOR = skops_io.dumps(LogisticRegression().fit([[1.0, 2.0], [2.0, 1.0]], ["no", "yes"]))


def the_data(**files: bytes) -> ModelData:
    return ModelData(
        name="s3://b/m.tar.gz",
        label="s3://b/m.tar.gz",
        content=b"",
        files={"model.skops": ESTIMATOR} | files,
        is_archive=True,
        notes=("noted",),
    )


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    (tmp_path / "rows.csv").write_text("a,b,label\n1,2,no\n2,1,yes\n")
    return ModelSpec(model="fraud", rows=Path("rows.csv"))


def test_an_estimator_is_joined_with_the_specs_rows(spec: ModelSpec, tmp_path: Path) -> None:
    origin = from_data(the_data(), spec, tmp_path, rows=None, allow_pickle=False)

    assert origin.trained.name == "s3://b/m.tar.gz"
    assert origin.trained.live_labels.tolist() == ["no", "yes"]
    assert origin.source is not None
    assert origin.source["file"] == "model.skops"
    assert len(origin.source["sha256"]) == 64
    assert origin.notes == ("noted",)


def test_rows_that_were_named_come_before_the_specs(spec: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("c,d\n1,2\n")

    origin = from_data(the_data(), spec, tmp_path, rows=tmp_path / "other.csv", allow_pickle=False)

    assert origin.trained.feature_names == ("c", "d")


def test_without_rows_nothing_is_proven_and_so_nothing_is_packaged(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"comes without rows.*`rows:` in models/fraud\.yaml"):
        from_data(the_data(), ModelSpec(model="fraud"), tmp_path, rows=None, allow_pickle=False)


def test_the_training_scripts_rows_stand_in_where_the_spec_has_none() -> None:
    with pytest.raises(EstimatorFileError, match="takes 2 features; the training script's rows"):
        from_data(the_data(), load_spec(ROOT, "iris"), ROOT, rows=None, allow_pickle=False)


def test_a_script_in_the_archive_serves_with_the_model(spec: ModelSpec, tmp_path: Path) -> None:
    data = the_data(**{"code/inference.py": SCRIPT, "code/words.txt": b"x"})

    origin = from_data(data, spec, tmp_path, rows=None, allow_pickle=False)

    assert origin.script is not None
    assert list(origin.script.files) == ["code/inference.py", "code/words.txt"]
    assert origin.files == {}
    assert "code/inference.py of s3://b/m.tar.gz serves with the model" in origin.notes[1]


def test_the_specs_script_takes_the_place_of_the_archives(spec: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_bytes(SCRIPT + b"\n")
    data = the_data(**{"code/inference.py": SCRIPT})

    origin = from_data(
        data, replace(spec, inference_script=Path("serve.py")), tmp_path, rows=None,
        allow_pickle=False,
    )  # fmt: skip

    assert origin.script is not None
    assert origin.script.files == {"code/inference.py": SCRIPT + b"\n"}
    assert "is left out: serve.py serves instead" in origin.notes[1]


def test_code_without_a_script_is_left_out_and_said_so(spec: ModelSpec, tmp_path: Path) -> None:
    origin = from_data(
        the_data(**{"code/train.py": b""}), spec, tmp_path, rows=None, allow_pickle=False
    )

    assert origin.script is None
    assert "code/ of s3://b/m.tar.gz holds no inference.py and is left out" in origin.notes[1]


def test_a_script_in_the_archive_is_held_to_the_same_rules(spec: ModelSpec, tmp_path: Path) -> None:
    data = the_data(**{"code/inference.py": SCRIPT, "code/requirements.txt": b"torch"})

    with pytest.raises(ScriptError, match="nothing is installed when the container starts"):
        from_data(data, spec, tmp_path, rows=None, allow_pickle=False)


def test_a_script_that_loads_the_model_itself_keeps_the_files_beside_it(
    spec: ModelSpec, tmp_path: Path
) -> None:
    script = SCRIPT + b"def model_fn(model_dir):\n    return None\n"
    data = the_data(**{"code/inference.py": script, "words/list.txt": b"x"})

    origin = from_data(data, spec, tmp_path, rows=None, allow_pickle=False)

    assert origin.files == {"model.skops": ESTIMATOR, "words/list.txt": b"x"}


def test_a_file_for_the_script_may_not_be_called_as_one_of_the_artifacts_own(
    spec: ModelSpec, tmp_path: Path
) -> None:
    script = b"def model_fn(model_dir):\n    return None\n"
    data = the_data(**{"code/inference.py": script, "model.onnx": b"x"})

    with pytest.raises(SourceError, match=r"holds model\.onnx, and the artifact has files of its"):
        from_data(data, spec, tmp_path, rows=None, allow_pickle=False)


@pytest.mark.parametrize(
    ("runtime", "missing"), [(Runtime.ONNX, "pandas, torch"), (Runtime.SKLEARN, "torch")]
)
def test_what_a_script_imports_and_the_image_lacks_is_named(runtime: Runtime, missing: str) -> None:
    source = b"import numpy, pandas, torch\n" + SCRIPT
    script = script_from_files({"code/inference.py": source}, "it")

    (warning,) = import_warnings(script, ROOT, runtime)

    assert f"code/inference.py imports {missing}, which container/requirements" in warning
    assert import_warnings(None, ROOT, runtime) == ()
