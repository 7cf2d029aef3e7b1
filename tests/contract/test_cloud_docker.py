"""Endpoints whose instances are containers of the local Docker engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from botocore.exceptions import ClientError

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.docker_engine import OWNER_LABEL, connect
from tests.support import instances
from tests.support.cloud import (
    ACCOUNT,
    BUCKET,
    IMAGE_URI,
    REGION,
    ROLE_ARN,
    CloudUser,
    gzip_tar,
    wait_for,
)
from tests.support.cloud_process import CloudProcess
from tests.support.docker_engine import DockerEngine
from tests.support.instances import CONTEXTS, a_step, image_uri, put_model
from tests.support.onnx_models import an_iris_classifier

# An engine may have to be installed and given a base image first.
pytestmark = pytest.mark.timeout(600)
CONTAINER = Path(__file__).parents[2] / "container"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
BUILD_SECONDS = 300


@pytest.fixture(scope="module")
def cloud(
    docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CloudProcess]:
    options = ("--speed", "30", "--runtime", "docker")
    started = CloudProcess(tmp_path_factory.mktemp("cloud"), *options)
    yield started
    code = started.stop()
    for image in docker_engine.client.images.list():
        for tag in image.tags:
            if tag.startswith(REGISTRY):
                docker_engine.client.images.remove(tag, force=True)
    assert code == 0
    assert containers(docker_engine) == []


@pytest.fixture(scope="module")
def user(cloud: CloudProcess, docker_engine: DockerEngine) -> CloudUser:
    someone = CloudUser(cast(Any, cloud))
    someone.prepare(args={"BASE_IMAGE": docker_engine.base_image})
    return someone


def containers(engine: DockerEngine) -> list[Any]:
    found: list[Any] = engine.client.containers.list(filters={"label": OWNER_LABEL})
    return found


def build(user: CloudUser, uri: str, context: Path, **more: Any) -> str:
    answer = requests.post(
        f"{user.cloud.url}/rehearsal/images",
        json={"image_uri": uri, "context": str(context), **more},
        timeout=BUILD_SECONDS,
    )
    answer.raise_for_status()
    return str(answer.json()["digest"])


def make_config(user: CloudUser, name: str, image: str, **container: Any) -> None:
    """Create a model of one image, and a config of the same name."""
    isolation = container.pop("EnableNetworkIsolation", False)
    user.sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE_ARN,
        PrimaryContainer={"Image": image, **container},
        EnableNetworkIsolation=isolation,
    )
    variant = {
        "VariantName": "main",
        "ModelName": name,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    user.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])


@pytest.mark.source("DG your-algorithms-inference-code: docker run <image> serve")
def test_an_endpoint_of_containers_serves_swaps_and_leaves_nothing(
    user: CloudUser, docker_engine: DockerEngine, tmp_path: Path
) -> None:
    iris = an_iris_classifier(tmp_path)
    files = {path.name: path.read_bytes() for path in iris.directory.iterdir()}
    user.client("s3").put_object(Bucket=BUCKET, Key="iris.tar.gz", Body=gzip_tar(files))
    user.client("ecr").create_repository(repositoryName="server")
    server_uri = f"{REGISTRY}/server:1"
    build(user, server_uri, CONTAINER, args={"BASE_IMAGE": docker_engine.base_image})
    make_config(user, "tiny", IMAGE_URI, Environment={"TINY_NAME": "a tiny one"})
    make_config(user, "server", server_uri, ModelDataUrl=f"s3://{BUCKET}/iris.tar.gz")

    user.make_endpoint("story", "tiny")
    first = user.invoke("story")
    user.sagemaker.update_endpoint(EndpointName="story", EndpointConfigName="server")
    swapped = user.wait("story")
    second = user.invoke("story", b"5.1,3.5,1.4,0.2")
    running = containers(docker_engine)
    [process] = user.control("status")["processes"]
    user.sagemaker.delete_endpoint(EndpointName="story")
    wait_for(lambda: not containers(docker_engine), "the containers to go")

    assert (first["name"], first["files"]) == ("a tiny one", [])
    assert swapped["EndpointStatus"] == "InService"
    assert swapped["EndpointConfigName"] == "server"
    assert second["predictions"]
    assert [container.attrs["State"]["Pid"] for container in running] == [process["pid"]]
    # A container's output is read by a thread of the cloud, which may come a little later.
    wait_for(lambda: "stopping" in lines(user, "story"), "the end in the log")
    assert any("serving ['serve'] on 8080" in line for line in lines(user, "story"))


@pytest.mark.source("botocore DeployedImage: ResolvedImage is the image's digest")
def test_an_image_tagged_in_the_engine_counts_as_pushed(
    user: CloudUser, docker_engine: DockerEngine
) -> None:
    uri = f"{REGISTRY}/tiny:by-hand"
    docker_engine.client.images.get(IMAGE_URI).tag(uri)

    [asked] = user.client("ecr").batch_get_image(
        repositoryName="tiny", imageIds=[{"imageTag": "by-hand"}]
    )["images"]
    make_config(user, "by-hand", uri)
    user.make_endpoint("by-hand", "by-hand")

    [stored] = user.client("ecr").describe_images(
        repositoryName="tiny", imageIds=[{"imageTag": "by-hand"}]
    )["imageDetails"]
    variant = user.describe("by-hand")["ProductionVariants"][0]
    assert variant["DeployedImages"][0]["SpecifiedImage"] == uri
    assert variant["DeployedImages"][0]["ResolvedImage"].endswith(stored["imageDigest"])
    assert asked["imageId"]["imageDigest"] == stored["imageDigest"]
    assert user.invoke("by-hand")["name"] == "tiny"
    user.sagemaker.delete_endpoint(EndpointName="by-hand")


def test_an_image_the_engine_lacks_is_not_found(user: CloudUser) -> None:
    with pytest.raises(ClientError, match=r"Requested image .*tiny:never not found"):
        make_config(user, "never", f"{REGISTRY}/tiny:never")


@pytest.mark.source("reports: yuyasugano/terraform-sagemaker-sample-1#1")
def test_an_image_that_left_the_engine_fails_the_next_update(
    user: CloudUser, docker_engine: DockerEngine, tmp_path: Path
) -> None:
    uri = f"{REGISTRY}/tiny:gone"
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE_URI}\nENV TINY_NAME=gone\n")
    build(user, uri, tmp_path)
    make_config(user, "stays", IMAGE_URI)
    make_config(user, "gone", uri)
    user.make_endpoint("keeps", "stays")

    docker_engine.client.images.remove(uri, force=True)
    user.sagemaker.update_endpoint(EndpointName="keeps", EndpointConfigName="gone")
    settled = user.wait("keeps")

    assert settled["EndpointConfigName"] == "stays"
    assert "Please make sure all images included in the model" in settled["FailureReason"]
    assert user.invoke("keeps")["name"] == "tiny"
    user.sagemaker.delete_endpoint(EndpointName="keeps")


@pytest.mark.source("DG mkt-algo-model-internet-free: no outbound network calls")
def test_an_isolated_container_serves_and_reaches_nothing(user: CloudUser) -> None:
    reach = {"TINY_REACH": user.cloud.url.removeprefix("http://")}
    make_config(user, "open", IMAGE_URI, Environment={"TINY_REACH": "127.0.0.1:8080"})
    make_config(user, "isolated", IMAGE_URI, Environment=reach, EnableNetworkIsolation=True)
    user.make_endpoint("open", "open")
    user.make_endpoint("isolated", "isolated")

    reached = [user.invoke(name)["reached"] for name in ("open", "isolated")]

    assert reached == [True, False]


@pytest.mark.source("DG inference-pipelines; your-algorithms-inference-code: bind to port")
def test_the_steps_of_a_pipeline_are_containers(
    user: CloudUser, docker_engine: DockerEngine
) -> None:
    user.client("ecr").create_repository(repositoryName="step")
    base = {"BASE_IMAGE": docker_engine.base_image}
    build(user, image_uri("step"), CONTEXTS["step"], args=base)
    instances.make_config(user, "line", [a_step("first"), a_step("second")])
    user.make_endpoint("line", "line")

    _, answer = instances.invoke(user, "line", b"x")
    running = containers(docker_engine)
    user.sagemaker.delete_endpoint(EndpointName="line")

    assert answer == b"x|first|second"
    assert len(running) >= 2


@pytest.mark.source("DG mms-container-apis: the container is told where a model lies")
def test_a_multi_model_container_finds_its_models_where_it_is_told(
    user: CloudUser, docker_engine: DockerEngine
) -> None:
    user.client("ecr").create_repository(repositoryName="multi")
    base = {"BASE_IMAGE": docker_engine.base_image}
    build(user, image_uri("multi"), CONTEXTS["multi"], args=base)
    put_model(user, "models/a.tar.gz", "the first")
    container = {
        "Image": image_uri("multi"),
        "Mode": "MultiModel",
        "ModelDataUrl": f"s3://{BUCKET}/models/",
    }
    instances.make_config(user, "many", container)
    user.make_endpoint("many", "many")

    _, answer = instances.invoke(user, "many", TargetModel="a.tar.gz")
    user.sagemaker.delete_endpoint(EndpointName="many")

    assert answer["name"] == "the first"
    assert answer["url"].startswith("/opt/ml/models/")


@pytest.mark.source("ECR imageTagMutability: IMMUTABLE refuses a tag that is taken")
def test_an_immutable_tag_is_not_moved(
    user: CloudUser, docker_engine: DockerEngine, tmp_path: Path
) -> None:
    user.client("ecr").create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    uri = f"{REGISTRY}/fixed:1"
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE_URI}\nENV TINY_NAME=one\n")
    first = build(user, uri, tmp_path)
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE_URI}\nENV TINY_NAME=two\n")

    with pytest.raises(requests.HTTPError) as caught:
        build(user, uri, tmp_path)

    assert "is immutable and taken" in caught.value.response.json()["error"]
    [stored] = user.client("ecr").describe_images(repositoryName="fixed")["imageDetails"]
    assert stored["imageDigest"] == first


def test_a_build_that_fails_says_what_docker_said(user: CloudUser, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY missing /\n")

    with pytest.raises(requests.HTTPError) as caught:
        build(user, IMAGE_URI, tmp_path)

    said = caught.value.response.json()["error"]
    assert "docker build" in said
    assert "missing" in said


def test_nothing_is_left_of_a_cloud_that_is_killed(
    docker_engine: DockerEngine, tmp_path: Path
) -> None:
    cloud = CloudProcess(tmp_path, "--runtime", "docker")
    user = CloudUser(cast(Any, cloud))
    user.prepare(args={"BASE_IMAGE": docker_engine.base_image})
    make_config(user, "doomed", IMAGE_URI)
    user.make_endpoint("doomed", "doomed")
    owner = f"{OWNER_LABEL}={cloud.process.pid}@"

    def of_the_cloud() -> list[Any]:
        return [c for c in containers(docker_engine) if owner in labels(c)]

    before = of_the_cloud()
    cloud.kill()
    wait_for(lambda: not of_the_cloud(), "the guard to remove the container")

    assert len(before) == 1


def test_without_an_engine_the_cloud_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")

    with pytest.raises(SetupError, match=r"none answers at .*nothing.*start Docker, or use"):
        connect()


def test_an_engine_on_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")

    with pytest.raises(SetupError, match=r"on this machine.*192.0.2.1.*unset it"):
        connect()


def lines(user: CloudUser, endpoint: str) -> list[str]:
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    events = user.client("logs").filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events]


def labels(container: Any) -> str:
    return " ".join(f"{name}={value}" for name, value in container.labels.items())
