"""What only the built image can show: what is in it, what it may do, and who watches it.

The contract itself is tested against the image by the tests that take the fixture `serve`.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.container_image import ServerContainer, built_image, started_container
from tests.support.docker_engine import DockerEngine
from tests.support.forests import add_forest
from tests.support.onnx_models import an_iris_classifier
from tests.support.sklearn_models import a_classifier_of_frames, add_script

# An engine may have to be installed and given a base image first.
pytestmark = pytest.mark.timeout(600)
HEALTHY_SECONDS = 20
LOOK_AROUND = """
import importlib.util, json, os, pathlib, shutil

programs = ("pip", "pip3", "cc", "gcc", "g++", "clang", "tcc", "zig", "ld")
modules = ("pip", "ensurepip", "setuptools", "ziglang")
wheels = [str(path) for path in pathlib.Path("/usr").rglob("*.whl")]
writable = []
for folder in ("/", "/tmp", "/opt/program", "/opt/ml/model", os.path.expanduser("~")):
    try:
        pathlib.Path(folder, "new").touch()
        writable.append(folder)
    except OSError:
        pass
print(json.dumps({
    "programs": [name for name in programs if shutil.which(name)],
    "modules": [name for name in modules if importlib.util.find_spec(name)],
    "wheels": wheels,
    "writable": writable,
    "ids": [os.getuid(), os.getgid()],
}))
"""
PREDICT_ONLY = "def predict_fn(data, model):\n    print(data)\n    return model.predict(data)\n"


@pytest.fixture(scope="module")
def container(
    docker_engine: DockerEngine,
    server_image: str,
    server_network: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServerContainer]:
    """A server of the image, in two workers, with a forest that the kernel can answer."""
    fitted = an_iris_classifier(tmp_path_factory.mktemp("iris"))
    add_forest(fitted)
    with started_container(
        docker_engine,
        server_image,
        server_network,
        fitted.directory,
        SAGEMAKER_MODEL_SERVER_WORKERS="2",
    ) as started:
        assert started.wait_until_pinged().status_code == 200
        yield started


def test_the_image_has_no_tools_no_rights_and_no_place_to_write(
    container: ServerContainer,
) -> None:
    code, output = container.run("python", "-c", LOOK_AROUND)

    assert code == 0, output
    assert json.loads(output) == {
        "programs": [],
        "modules": [],
        "wheels": [],
        "writable": [],
        "ids": [65532, 65532],
    }


def test_the_kernel_that_was_compiled_for_the_image_answers(container: ServerContainer) -> None:
    answer = container.invoke({"features": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]})

    assert {line["runtime"] for line in container.await_lines("runtime_chosen")} == {"forest"}
    assert answer.json()["predictions"] == [0, 2]


def test_docker_finds_the_server_healthy(container: ServerContainer) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    while container.health() == "starting" and time.monotonic() < deadline:
        time.sleep(0.1)

    assert container.health() == "healthy"


def test_a_container_of_several_workers_drains_and_exits_with_zero(
    container: ServerContainer,
) -> None:
    container.terminate()

    assert container.wait(10) == 0
    assert container.log_lines("drain_timed_out") == []


def test_the_image_tells_sagemaker_what_it_can_do(
    docker_engine: DockerEngine, server_image: str
) -> None:
    labels = docker_engine.client.images.get(server_image).labels

    assert labels == {
        "com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true",
        "com.amazonaws.sagemaker.capabilities.multi-models": "true",
    }


def test_a_model_of_scikit_learn_and_a_script_are_served_by_the_image_that_holds_it(
    docker_engine: DockerEngine, server_image: str, server_network: str, tmp_path: Path
) -> None:
    a_classifier_of_frames(tmp_path / "model")
    scripted = Path(shutil.copytree(tmp_path / "model", tmp_path / "scripted"))
    add_script(scripted, PREDICT_ONLY)
    image = built_image(docker_engine, REQUIREMENTS="requirements-sklearn.lock")

    with started_container(
        docker_engine, server_image, server_network, tmp_path / "model"
    ) as without:
        refused = without.wait_until_pinged()
    with started_container(docker_engine, image, server_network, scripted) as started:
        pinged = started.wait_until_pinged()
        answer = started.invoke({"features": [[8.5, None, True]]})
        printed = started.await_lines("printed", lambda line: "8.5" in line["text"])

    assert refused.status_code == 503
    assert "REQUIREMENTS=requirements-sklearn.lock" in refused.json()["error"]["message"]
    assert (pinged.status_code, answer.json()) == (200, {"predictions": ["large"]})
    assert printed
