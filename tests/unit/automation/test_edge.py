"""What of a Greengrass component can be refused, and how its files are written."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from automation import artifact as artifacts
from automation.artifact import Artifact
from automation.driver import ROOT
from automation.edge import check, server_files, write_component, zip_bytes
from automation.errors import EdgeError, PackagingError, SourceError, UsageError


def an_artifact(folder: Path, **manifest: object) -> Artifact:
    facts = {"model": "iris", "estimator": "forest", "runtime": "onnx", **manifest}
    files = {"manifest.json": artifacts.json_bytes(facts), "model.onnx": b"graph"}
    folder.mkdir(parents=True)
    (folder / "model.tar.gz").write_bytes(artifacts.archive_bytes(files))
    return artifacts.read(folder.parent, folder)


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return an_artifact(tmp_path / "packaged")


def test_a_component_is_a_recipe_and_three_artifacts(artifact: Artifact, tmp_path: Path) -> None:
    output = tmp_path / "out"

    component = write_component(
        "iris", artifact, ROOT, output=output, version="2.1.0", name="com.example.iris"
    )

    files = sorted(str(p.relative_to(output)) for p in output.rglob("*") if p.is_file())
    assert files == [
        "artifacts/com.example.iris/2.1.0/model.zip",
        "artifacts/com.example.iris/2.1.0/program.zip",
        "artifacts/com.example.iris/2.1.0/requirements.lock",
        "recipes/com.example.iris-2.1.0.json",
    ]
    recipe = json.loads(component.recipe.read_text())
    (manifest,) = recipe["Manifests"]
    assert component.uri is None
    assert manifest["Artifacts"][0]["URI"] == (
        "s3://BUCKET_NAME/com.example.iris/2.1.0/program.zip"
    )
    assert recipe["ComponentDescription"].startswith(
        f"Serves iris (forest), artifact {artifact.short_digest}"
    )
    with zipfile.ZipFile(component.artifacts / "model.zip") as archive:
        assert archive.read("model.onnx") == b"graph"
    with zipfile.ZipFile(component.artifacts / "program.zip") as archive:
        assert "server/__main__.py" in archive.namelist()
    lock = (component.artifacts / "requirements.lock").read_bytes()
    assert lock == (ROOT / "container" / "requirements.lock").read_bytes()


def test_what_serves_scikit_learn_itself_gets_its_libraries(tmp_path: Path) -> None:
    artifact = an_artifact(tmp_path / "packaged", runtime="sklearn")

    component = write_component("iris", artifact, ROOT, output=tmp_path / "out")

    lock = (component.artifacts / "requirements.lock").read_text()
    assert "scikit-learn==" in lock
    assert "import granian, numpy, onnxruntime, orjson, sklearn, skops" in (
        component.recipe.read_text()
    )


def test_another_lock_has_everything_installed_anew(tmp_path: Path, artifact: Artifact) -> None:
    def install_script(runtime: str) -> str:
        given = an_artifact(tmp_path / runtime / "packaged", runtime=runtime)
        component = write_component("iris", given, ROOT, output=tmp_path / runtime / "out")
        recipe = json.loads(component.recipe.read_text())
        script: str = recipe["Manifests"][0]["Lifecycle"]["Install"]["Script"]
        return script

    marks = {
        line
        for runtime in ("onnx", "sklearn")
        for line in install_script(runtime).splitlines()
        if "touch" in line
    }

    assert len(marks) == 2


@pytest.mark.parametrize(
    ("name", "version", "uri", "message"),
    [
        ("", "1.0.0", None, "component name '' is refused; give at most 128 letters"),
        ("com.example/iris", "1.0.0", None, "is refused"),
        ("x" * 129, "1.0.0", None, "is refused"),
        ("iris", "1.0", None, "version '1.0' is no semantic version"),
        ("iris", "v1.0.0", None, "give three numbers, such as 1.4.2"),
        ("iris", "01.0.0", None, "is no semantic version"),
        ("iris", "1.0.0-" + "a" * 64, None, "of at most 64 characters"),
        ("iris", "1.0.0\n", None, "is no semantic version"),
        ("iris", "1.0.0", "bucket/components", "is no folder in S3"),
        ("iris", "1.0.0", "s3://B/components", "is no folder in S3"),
        ("iris", "1.0.0", "s3://bucket//components", "give one such as s3://bucket/components"),
    ],
)
def test_what_greengrass_refuses_is_refused_before_anything_is_written(
    name: str, version: str, uri: str | None, message: str, artifact: Artifact, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        write_component(
            "iris", artifact, ROOT, output=tmp_path / "out", name=name, version=version, uri=uri
        )

    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("version", ["0.0.0", "1.4.2", "1.0.0-rc.1+build.5", "10.20.30"])
@pytest.mark.parametrize("uri", [None, "s3://bucket", "s3://my.bucket/a/b/"])
def test_what_greengrass_takes_is_taken(version: str, uri: str | None) -> None:
    check("com.example.iris_2-a", version, uri)


def test_a_runtime_the_server_does_not_have_is_refused(tmp_path: Path) -> None:
    artifact = an_artifact(tmp_path / "packaged", runtime="torch")

    with pytest.raises(EdgeError, match="the runtime 'torch'; the server has onnx and sklearn"):
        write_component("iris", artifact, ROOT, output=tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_named(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(EdgeError, match=r"cannot be written .*; give another folder by --output"):
        write_component("iris", artifact, ROOT, output=tmp_path / "file")


def test_a_damaged_artifact_is_refused(artifact: Artifact, tmp_path: Path) -> None:
    artifact.archive.write_bytes(b"no archive")

    with pytest.raises(SourceError):
        write_component("iris", artifact, ROOT, output=tmp_path / "out")

    assert issubclass(SourceError, PackagingError)
    assert issubclass(EdgeError, PackagingError)


def test_a_zip_depends_on_names_and_contents_alone() -> None:
    one = zip_bytes({"b": b"2", "a/c": b"1"})
    other = zip_bytes({"a/c": b"1", "b": b"2"})

    assert one == other
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        assert archive.testzip() is None
        assert [info.filename for info in archive.infolist()] == ["a/c", "b"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}


def test_the_program_is_the_servers_python_files_alone() -> None:
    names = server_files(ROOT)

    assert {"server/__init__.py", "server/__main__.py", "server/serving.py"} <= set(names)
    assert all(name.startswith("server/") and name.endswith(".py") for name in names)
