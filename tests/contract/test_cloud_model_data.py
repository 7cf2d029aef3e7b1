"""Model data over HTTP: archives, uncompressed objects, additional sources, what is refused."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import BUCKET, CloudUser, gzip_tar, start_cloud
from tests.support.instances import (
    a_step,
    add_images,
    instances_of,
    invoke,
    make_config,
    put,
    remove,
)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUser]:
    found = start_cloud(tmp_path_factory.mktemp("cloud"), speed=60.0)
    found.prepare()
    add_images(found)
    yield found
    found.cloud.stop()


def source(key: str, data_type: str, compression: str = "None") -> dict[str, Any]:
    """Return an S3ModelDataSource in the tests' bucket."""
    url = f"s3://{BUCKET}/{key}"
    return {"S3DataSource": {"S3Uri": url, "S3DataType": data_type, "CompressionType": compression}}


def report(user: CloudUser, name: str, container: dict[str, Any]) -> dict[str, Any]:
    """Return what the container of a fresh endpoint sees."""
    user.make_endpoint(name, make_config(user, name, container))
    seen: dict[str, Any] = invoke(user, name)[1]
    remove(user, name)
    return seen


def failure(user: CloudUser, name: str, container: dict[str, Any]) -> str:
    """Return why a fresh endpoint failed."""
    user.sagemaker.create_endpoint(
        EndpointName=name, EndpointConfigName=make_config(user, name, container)
    )
    seen = user.wait(name)
    assert seen["EndpointStatus"] == "Failed"
    remove(user, name)
    return str(seen["FailureReason"])


def a_reporter(**more: Any) -> dict[str, Any]:
    return a_step("reporter", ENVIRONMENT={"STEP_REPORT": "1"}, **more)


@pytest.mark.source("DG large-model-inference-uncompressed; API S3ModelDataSource")
def test_uncompressed_objects_become_the_model_directory(user: CloudUser) -> None:
    put(user, "plain/config.json", b"{}")
    put(user, "plain/weights/1.bin", b"1")

    below = report(user, "prefix", a_reporter(ModelDataSource=source("plain/", "S3Prefix")))
    single = report(
        user, "object", a_reporter(ModelDataSource=source("plain/weights/1.bin", "S3Object"))
    )

    assert below["files"] == ["config.json", "weights/1.bin"]
    assert single["files"] == ["1.bin"]


@pytest.mark.source("API S3ModelDataSource: Gzip and S3Object is an archive")
def test_a_compressed_object_is_extracted(user: CloudUser) -> None:
    put(user, "packed/model.tar.gz", gzip_tar({"model.onnx": b"1"}))
    packed = source("packed/model.tar.gz", "S3Object", "Gzip")

    seen = report(user, "packed", a_reporter(ModelDataSource=packed))

    assert seen["files"] == ["model.onnx"]


@pytest.mark.source("AWS provider, sagemaker.Model channelName: additional-model-data-sources")
def test_additional_sources_lie_below_their_channels(user: CloudUser) -> None:
    put(user, "draft/weights.bin", b"1")
    put(user, "adapter.tar.gz", gzip_tar({"adapter.bin": b"2"}))
    more = [
        {"ChannelName": "draft", **source("draft/", "S3Prefix")},
        {"ChannelName": "adapter", **source("adapter.tar.gz", "S3Object", "Gzip")},
    ]

    seen = report(user, "additional", a_reporter(AdditionalModelDataSources=more))

    assert seen["files"] == []
    assert seen["additional"] == ["adapter/adapter.bin", "draft/weights.bin"]


@pytest.mark.source("DG large-model-inference-uncompressed: such names fail the deployment")
def test_an_empty_folder_object_fails_the_deployment_and_not_the_model(user: CloudUser) -> None:
    put(user, "console/weights.bin", b"1")
    put(user, "console/folder/", b"")

    reason = failure(user, "console", a_reporter(ModelDataSource=source("console/", "S3Prefix")))

    assert reason.startswith(
        f'Failed to download model data for container "container_1" from URL: '
        f'"s3://{BUCKET}/console/".'
    )


@pytest.mark.source("DG deploy-model-troubleshoot: links fail the deployment")
def test_an_archive_with_a_link_fails_the_deployment(user: CloudUser) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "model.onnx"
        archive.addfile(member)
    url = put(user, "linked/model.tar.gz", buffer.getvalue())

    assert "Failed to download model data" in failure(user, "linked", a_reporter(ModelDataUrl=url))


@pytest.mark.source("DG your-algorithms-inference-code: /opt/ml/model is read-only")
def test_instances_share_model_files_that_none_can_write(user: CloudUser) -> None:
    url = put(user, "shared/model.tar.gz", gzip_tar({"model.onnx": b"1"}))
    config = make_config(
        user, "shared", a_reporter(ModelDataUrl=url), variant={"InitialInstanceCount": 2}
    )
    user.make_endpoint("shared", config)

    seen = [invoke(user, "shared")[1] for _ in range(8)]

    assert len({each["pid"] for each in seen}) == 2
    (directory,) = {each["model_directory"] for each in seen}
    assert not (Path(directory) / "model.onnx").stat().st_mode & 0o222
    assert len(instances_of(user, "shared")) == 2
    remove(user, "shared")


@pytest.mark.source("API ContainerDefinition.ModelDataUrl: https or s3")
def test_model_data_is_found_by_an_https_url(user: CloudUser) -> None:
    put(user, "web/model.tar.gz", gzip_tar({"model.onnx": b"1"}))
    url = f"https://{BUCKET}.s3.eu-west-1.amazonaws.com/web/model.tar.gz"

    seen = report(user, "web", a_reporter(ModelDataUrl=url))

    assert seen["files"] == ["model.onnx"]
