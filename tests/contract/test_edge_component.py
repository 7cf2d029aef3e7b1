"""A packaged model as a Greengrass component: written by the command, run as a core runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest
import requests

from automation import artifact as artifacts
from automation.driver import ROOT
from automation.edge import write_component
from tests.support.container_process import a_free_port
from tests.support.greengrass import VARIABLE, Core, DeployedComponent
from tests.support.onnx_models import FittedModel, an_iris_classifier

SCHEMA = Path(__file__).parents[1] / "support" / "greengrass_recipe_schema.json"
DEVICE = {"os": "linux", "architecture": "aarch64"}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    return an_iris_classifier(tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def packaged(fitted: FittedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `greenlight package` would have made of the model."""
    files = {path.name: path.read_bytes() for path in fitted.directory.iterdir()}
    folder = tmp_path_factory.mktemp("packaged")
    (folder / "model.tar.gz").write_bytes(artifacts.archive_bytes(files))
    return folder


@pytest.fixture(scope="module")
def written(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("component")
    found = artifacts.read(ROOT, packaged)
    write_component("iris", found, ROOT, output=output, uri="s3://bucket/components/")
    return output


@pytest.fixture
def component(written: Path, tmp_path: Path) -> Iterator[DeployedComponent]:
    """The component on a device whose Python environment is that of these tests."""
    with a_free_port() as port:
        configuration = {"port": str(port), "pythonEnvironment": sys.prefix}
        yield Core(root=tmp_path / "greengrass", platform=DEVICE).deploy(written, configuration)
    make_deletable(tmp_path)


def make_deletable(folder: Path) -> None:
    """Let pytest delete what a core keeps read-only."""
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o700)


def url_of(component: DeployedComponent, path: str) -> str:
    return f"http://127.0.0.1:{component.lifecycle['Setenv']['SAGEMAKER_BIND_TO_PORT']}{path}"


def wait_until_well(component: DeployedComponent, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            assert requests.get(url_of(component, "/ping"), timeout=5).status_code == 200
        except requests.ConnectionError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"the component never answered; exit code {process.poll()}")


def test_the_recipe_keeps_to_the_guide(written: Path) -> None:
    recipe = json.loads((written / "recipes" / "greenlight.iris-1.0.0.json").read_text())

    jsonschema.validate(recipe, json.loads(SCHEMA.read_text()))
    (manifest,) = recipe["Manifests"]
    assert [artifact["URI"] for artifact in manifest["Artifacts"]] == [
        f"s3://bucket/components/greenlight.iris/1.0.0/{name}"
        for name in ("program.zip", "model.zip", "requirements.lock")
    ]
    known = {
        f"configuration:/{key}" for key in recipe["ComponentConfiguration"]["DefaultConfiguration"]
    } | {"artifacts:path", "artifacts:decompressedPath", "work:path"}
    used = {":".join(found) for found in VARIABLE.findall(json.dumps(manifest["Lifecycle"]))}
    assert used <= known
    # Whatever else stood in braces Greengrass might take for a variable.
    assert "{" not in VARIABLE.sub("", manifest["Lifecycle"]["Run"]["Script"])


@pytest.mark.parametrize(
    "spoil",
    [
        {"ComponentName": "iris!"},
        {"ComponentVersion": "1.0"},
        {"RecipeFormatVersion": "2020-01-26"},
        {"Manifest": []},
        {"Manifests": [{"Lifecycle": {"Run": "a", "Startup": "b"}}]},
        {"Manifests": [{"Lifecycle": {"Run": {"script": "a"}}}]},
        {"Manifests": [{"Lifecycle": {}, "Artifacts": [{"URI": "bucket/a"}]}]},
    ],
)
def test_the_schema_sees_what_is_wrong(written: Path, spoil: dict[str, object]) -> None:
    recipe = json.loads((written / "recipes" / "greenlight.iris-1.0.0.json").read_text())

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**recipe, **spoil}, json.loads(SCHEMA.read_text()))


def test_a_core_runs_the_component_and_ends_it_in_order(
    component: DeployedComponent, fitted: FittedModel, tmp_path: Path
) -> None:
    golden = json.loads((fitted.directory / "golden.json").read_text())
    log_path = tmp_path / "component.log"

    installed = component.run_to_the_end("Install")
    process = component.start(log_path)
    try:
        wait_until_well(component, process)
        answer = requests.post(
            url_of(component, "/invocations"), json={"instances": golden["instances"]}, timeout=10
        )
        # As a core does: somebody has to ask how the process ended, or it stays as a number.
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(process.wait, 20)
            ended = component.run_to_the_end("Shutdown")
            code = waiting.result()
    finally:
        process.kill()
        process.wait()

    assert installed.returncode == 0, installed.stderr
    classes = [each["predicted_class_index"] for each in answer.json()["predictions"]]
    assert classes == golden["labels"]
    assert (ended.returncode, code) == (0, 0), log_path.read_text()
    assert '"event": "draining"' in log_path.read_text()
    assert [path.name for path in component.work.iterdir()] == []
    assert list(component.program.rglob("__pycache__")) == []


def test_shutting_down_what_does_not_run_harms_nobody(component: DeployedComponent) -> None:
    without = component.run_to_the_end("Shutdown")
    with subprocess.Popen(["sleep", "60"]) as other:
        # The number of the server before a power cut, which is another process's now.
        (component.work / "server.pid").write_text(f"{other.pid}\n")
        stale = component.run_to_the_end("Shutdown")
        still_runs = other.poll() is None
        other.kill()

    assert (without.returncode, stale.returncode) == (0, 0)
    assert still_runs


def test_what_is_installed_is_not_installed_again(written: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    # In place of a Python: makes an environment out of itself, and notes what it is asked.
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$@" | head -1 >> {calls}\n'
        f'if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi\n'
    )
    python.chmod(0o700)
    options = "--no-index --find-links /wheels"
    core = Core(root=tmp_path / "greengrass", platform=DEVICE)
    component = core.deploy(written, {"python": str(python), "pipOptions": options})

    first, second = component.run_to_the_end("Install"), component.run_to_the_end("Install")

    lines = calls.read_text().splitlines()
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert [line.split()[:3] for line in lines] == [
        ["-c", "import", "sys"],
        ["-m", "venv", str(component.work / "venv")],
        ["-m", "pip", "install"],
        ["-c", "import", "granian,"],
        ["-c", "import", "granian,"],
    ]
    assert "--require-hashes --only-binary :all: --no-index --find-links /wheels" in lines[2]
    assert lines[2].endswith("requirements.lock")
    make_deletable(tmp_path)


def test_a_python_that_is_too_old_is_named(written: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 9, 2); '
        'sys.version = \'3.9.2\'; exec(sys.argv[1])" "$2"\n'
    )
    python.chmod(0o700)
    core = Core(root=tmp_path / "greengrass", platform=DEVICE)
    component = core.deploy(written, {"python": str(python)})

    installed = component.run_to_the_end("Install")

    assert installed.returncode != 0
    assert installed.stderr == "Python 3.11 or newer is needed, here is 3.9.2\n"
    make_deletable(tmp_path)


def test_an_environment_without_the_libraries_is_refused_when_it_is_installed(
    written: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(empty)], check=True, timeout=60
    )
    core = Core(root=tmp_path / "greengrass", platform=DEVICE)
    component = core.deploy(written, {"pythonEnvironment": str(empty)})

    installed = component.run_to_the_end("Install")

    assert installed.returncode != 0
    assert "No module named 'granian'" in installed.stderr
    make_deletable(tmp_path)


def test_the_same_model_gives_the_same_bytes_by_the_command(packaged: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    command = [
        shutil.which("greenlight", path=str(Path(sys.executable).parent)) or "greenlight",
        "edge",
        "iris",
        "--artifact",
        str(packaged),
        "--output",
        str(one),
        "--uri",
        "s3://bucket/components",
    ]

    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60, check=False
    )
    found = artifacts.read(ROOT, packaged)
    write_component("iris", found, ROOT, output=other, uri="s3://bucket/components/")

    assert done.returncode == 0, done.stderr
    assert "wrote component greenlight.iris 1.0.0" in done.stdout
    assert "aws greengrassv2 create-component-version --inline-recipe fileb://" in done.stdout
    assert files_of(one) == files_of(other)
    assert len(files_of(one)) == 4


def files_of(folder: Path) -> dict[str, bytes]:
    """Give the files below a folder by their paths there."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
