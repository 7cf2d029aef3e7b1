"""Models from S3, from training jobs and from the Model Registry, over SageMaker's own wire."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from skops import io as skops_io

from automation.driver import ROOT
from automation.errors import (
    ArtifactError,
    EstimatorFileError,
    SetupError,
    SourceError,
    UsageError,
    VersionDriftError,
)
from automation.gate.model_data import ModelData, read_source
from automation.gate.packaging import Package, package, package_trained
from automation.source import source_from_text
from automation.spec import ModelSpec, Runtime
from tests.support.model_sources import (
    ACCOUNT,
    BUCKET,
    OLD_IMAGE,
    OWN_IMAGE,
    REGION,
    a_container,
    a_model_package,
    a_training_job,
    put,
)
from tests.support.moto_cloud import CountingCloud, counting_cloud
from tests.support.trained_models import a_trained_model

ROWS = "height_cm,kind,label\n1,1,low\n2,2,low\n15,0,high\n16,1,high\n"


@pytest.fixture(scope="module")
def cloud() -> Iterator[CountingCloud]:
    with counting_cloud() as running:
        yield running


@pytest.fixture(autouse=True)
def _asks_the_cloud(cloud: CountingCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)


@pytest.fixture(scope="module")
def client(cloud: CountingCloud) -> Any:
    @cache
    def made(service: str) -> Any:
        return boto3.client(service, endpoint_url=cloud.url)  # type: ignore[call-overload]

    made("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "container").symlink_to(ROOT / "container")
    (tmp_path / "rows.csv").write_text(ROWS)
    return tmp_path


def the_estimator() -> bytes:
    content: bytes = skops_io.dumps(a_trained_model().estimator)
    return content


def read(root: Path, source: str) -> ModelData:
    return read_source(source_from_text(source, root), root)


def packaged(root: Path, source: str, **options: Any) -> Package:
    spec = ModelSpec(model="tiny", rows=Path("rows.csv"), class_names=("low", "high"))
    return package(spec, root, source=source_from_text(source, root), **options)


def manifest_of(package: Package) -> dict[str, Any]:
    with tarfile.open(package.artifact.archive) as tar:
        document: dict[str, Any] = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
    return document


def test_an_archive_in_s3_with_an_estimator_is_proven_on_the_rows_of_the_spec(
    client: Any, root: Path
) -> None:
    uri = put(client, "a/model.tar.gz", {"model.skops": the_estimator()})

    kept = packaged(root, uri)

    assert kept.accuracy == 1.0
    assert kept.checked_rows > len(ROWS.splitlines())
    manifest = manifest_of(kept)
    assert [feature["name"] for feature in manifest["features"]] == ["height_cm", "kind"]
    assert manifest["source"]["name"] == uri


def test_a_single_file_in_s3_is_an_estimator_too(client: Any, root: Path) -> None:
    client("s3").put_object(Bucket=BUCKET, Key="b/forest.skops", Body=the_estimator())

    data = read(root, f"s3://{BUCKET}/b/forest.skops")

    assert data.files == {"forest.skops": data.content}
    assert not data.is_archive


def test_an_artifact_of_greenlights_own_is_kept_byte_for_byte(client: Any, root: Path) -> None:
    before = package_trained("tiny", a_trained_model(), root / "elsewhere").artifact
    client("s3").upload_file(str(before.archive), BUCKET, "c/model.tar.gz")

    kept = packaged(root, f"s3://{BUCKET}/c/model.tar.gz")

    assert kept.artifact.digest == before.digest
    assert kept.artifact.archive.read_bytes() == before.archive.read_bytes()
    assert kept.estimator == "random-forest"


def test_an_artifact_of_greenlights_own_takes_neither_another_runtime_nor_a_script(
    client: Any, root: Path
) -> None:
    before = package_trained("tiny", a_trained_model(), root / "elsewhere").artifact
    (root / "serve.py").write_text("def predict_fn(data, model):\n    return 1\n")
    spec = ModelSpec(model="tiny", inference_script=Path("serve.py"))
    source = source_from_text(str(before.archive), root)

    with pytest.raises(SourceError, match="is an artifact of runtime onnx, which cannot be made"):
        package(spec, root, source=source, runtime=Runtime.SKLEARN)

    (note,) = package(spec, root, source=source).warnings
    assert "serve.py of the spec is not put into it, it serves with no script" in note


def test_rows_that_an_artifact_of_greenlights_own_does_not_need_are_not_passed_over_in_silence(
    root: Path,
) -> None:
    before = package_trained("tiny", a_trained_model(), root / "elsewhere").artifact
    source = source_from_text(str(before.archive), root)

    (note,) = package(ModelSpec(model="tiny"), root, source=source, rows=root / "rows.csv").warnings

    assert "proven on rows of its own: --rows" in note


def test_rows_for_a_model_that_is_trained_here_are_refused(root: Path) -> None:
    with pytest.raises(UsageError, match=r"rows\.csv proves a model from elsewhere, and tiny"):
        package(ModelSpec(model="tiny"), root, rows=root / "rows.csv")


def test_an_artifact_of_greenlights_own_that_was_changed_is_refused(
    client: Any, root: Path
) -> None:
    before = package_trained("tiny", a_trained_model(), root / "elsewhere").artifact
    with tarfile.open(before.archive) as tar:
        files = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    uri = put(client, "d/model.tar.gz", files | {"golden.json": b"{}"})

    with pytest.raises(ArtifactError, match=r"says otherwise of golden\.json"):
        packaged(root, uri)
    assert not (root / "build").exists()


def test_a_hostile_archive_in_s3_is_refused_with_the_members_name(client: Any, root: Path) -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as tar:
        link = tarfile.TarInfo("model.skops")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    client("s3").put_object(Bucket=BUCKET, Key="e/model.tar.gz", Body=held.getvalue())

    with pytest.raises(
        SourceError, match=r"holds 'model\.skops', which is a link to '/etc/passwd'"
    ):
        read(root, f"s3://{BUCKET}/e/model.tar.gz")


def test_what_is_not_in_s3_is_refused_with_its_uri(client: Any, root: Path) -> None:
    told = (
        r"s3://models/no/model\.tar\.gz cannot be read: .*NoSuchKey.*; `aws s3 ls s3://models/no/ "
    )
    with pytest.raises(SourceError, match=told):
        read(root, f"s3://{BUCKET}/no/model.tar.gz")


def test_a_finished_training_job_gives_its_model(client: Any, root: Path) -> None:
    a_training_job(client, "fraud-1")
    put(client, "fraud-1/output/model.tar.gz", {"model.skops": the_estimator()})

    data = read(root, "training-job:fraud-1")

    assert data.label == "training-job/fraud-1"
    assert list(data.files) == ["model.skops"]


def test_the_pickle_of_a_training_job_has_to_be_allowed(client: Any, root: Path) -> None:
    import joblib

    a_training_job(client, "fraud-2")
    held = io.BytesIO()
    joblib.dump(a_trained_model().estimator, held)
    put(client, "fraud-2/output/model.tar.gz", {"model.joblib": held.getvalue()})

    with pytest.raises(
        EstimatorFileError, match=r"model\.joblib in training job fraud-2 .* runs code"
    ):
        packaged(root, "training-job:fraud-2")

    kept = packaged(root, "training-job:fraud-2", allow_pickle=True)

    assert manifest_of(kept)["source"]["file"] == "model.joblib"
    # What is read by pickle need not be served by it.
    assert "model.joblib" not in manifest_of(kept)["files"]


@pytest.mark.parametrize("status", ["InProgress", "Failed", "Stopped"])
def test_a_training_job_that_did_not_complete_is_refused(
    status: str, client: Any, root: Path
) -> None:
    a_training_job(client, f"job-{status}", status=status)

    with pytest.raises(SourceError, match=f"job-{status} is {status}.*once it is Completed"):
        read(root, f"training-job:job-{status}")


def test_a_training_job_nobody_started_is_refused(client: Any, root: Path) -> None:
    with pytest.raises(
        SourceError, match=r"training job none cannot be described: .*Could not find"
    ):
        read(root, "training-job:none")


def test_a_job_in_an_image_with_another_scikit_learn_is_refused_before_any_download(
    client: Any, root: Path, cloud: CountingCloud
) -> None:
    a_training_job(client, "old", image=OLD_IMAGE)
    cloud.calls.clear()

    with pytest.raises(VersionDriftError, match=r"training job old .* another scikit-learn, 1\.2;"):
        read(root, "training-job:old")

    assert len(cloud.calls) == 1


def test_the_latest_approved_version_of_a_group_is_taken(client: Any, root: Path) -> None:
    first = put(client, "r/1.tar.gz", {"model.txt": b""})
    second = put(client, "r/2.tar.gz", {"model.skops": the_estimator()})
    a_model_package(client, "fraud", a_container(first))
    a_model_package(client, "fraud", a_container(second))
    a_model_package(client, "fraud", a_container(first), status="PendingManualApproval")

    data = read(root, "model-package:fraud")

    assert data.label == "model-package/fraud/2"
    assert list(data.files) == ["model.skops"]


def test_a_version_of_a_group_is_named_by_its_number(client: Any, root: Path) -> None:
    uri = put(client, "n/1.tar.gz", {"model.skops": the_estimator()})
    for _ in range(2):
        a_model_package(client, "numbered", a_container(uri))
    client("sagemaker").create_model_package_group(ModelPackageGroupName="hollow")

    assert read(root, "model-package:numbered/1").label == "model-package/numbered/1"
    with pytest.raises(SourceError, match="group numbered has no version 3; its latest is 2"):
        read(root, "model-package:numbered/3")
    with pytest.raises(SourceError, match="group hollow has no version; `aws sagemaker create-mod"):
        read(root, "model-package:hollow")


def test_a_job_of_another_account_is_not_mistaken_for_ones_own(client: Any, root: Path) -> None:
    a_training_job(client, "ours")
    own = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/ours"

    with pytest.raises(SourceError, match=f"is of another account; the credentials see {own}: use"):
        read(root, own.replace(ACCOUNT, "210987654321"))


def test_an_arn_names_one_version_and_its_region(
    client: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = put(client, "s/1.tar.gz", {"model.skops": the_estimator()})
    arn = a_model_package(client, "single", a_container(uri))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    assert read(root, arn).label == "model-package/single/1"


def test_a_version_nobody_approved_is_refused_with_the_command_that_approves_it(
    client: Any, root: Path
) -> None:
    arn = a_model_package(client, "open", a_container("s3://b/k"), status="Rejected")

    with pytest.raises(SourceError, match=rf"is Rejected; .*--model-package-arn {arn} --model-app"):
        read(root, arn)
    with pytest.raises(
        SourceError, match=rf"open has no Approved version, its latest is Rejected: .*{arn} --model"
    ):
        read(root, "model-package:open")


def test_a_package_of_several_containers_is_refused(client: Any, root: Path) -> None:
    arn = a_model_package(client, "pipe", a_container("s3://b/k"), a_container("s3://b/l"))

    with pytest.raises(SourceError, match="has 2 containers; greenlight serves a model in one"):
        read(root, arn)


@pytest.mark.parametrize(
    ("container", "error", "message"),
    [
        ({"Image": OLD_IMAGE, "ModelDataUrl": "s3://b/k"}, VersionDriftError, r"learn, 1\.2;"),
        (
            a_container("s3://b/k", Framework="SKLEARN", FrameworkVersion="0.23-1"),
            VersionDriftError,
            r"model package .* another scikit-learn, 0\.23;",
        ),
        ({"Image": OWN_IMAGE}, SourceError, "names no model data; register it with a ModelData"),
        (
            {
                "Image": OWN_IMAGE,
                "ModelDataSource": {
                    "S3DataSource": {
                        "S3Uri": "s3://b/k/",
                        "S3DataType": "S3Prefix",
                        "CompressionType": "None",
                    }
                },
            },
            SourceError,
            r"S3DataType S3Prefix, CompressionType None\); register it with a ModelDataUrl",
        ),
    ],
    ids=["image", "framework", "no-data", "uncompressed"],
)
def test_a_package_that_would_not_serve_here_as_it_was_trained_is_refused(
    container: dict[str, Any], error: type[Exception], message: str, client: Any, root: Path
) -> None:
    arn = a_model_package(client, "wrong", container)

    with pytest.raises(error, match=message):
        read(root, arn)


def test_data_that_was_changed_after_its_registration_is_refused(client: Any, root: Path) -> None:
    uri = put(client, "t/1.tar.gz", {"model.skops": the_estimator()})
    etag = client("s3").head_object(Bucket=BUCKET, Key="t/1.tar.gz")["ETag"].strip('"')
    arn = a_model_package(client, "kept", a_container(uri, ModelDataETag=etag))
    read(root, arn)

    put(client, "t/1.tar.gz", {"model.skops": the_estimator(), "more": b""})

    with pytest.raises(SourceError, match="was changed in S3 after its registration"):
        read(root, arn)


def test_a_script_a_package_names_and_does_not_bring_is_told(client: Any, root: Path) -> None:
    uri = put(client, "u/1.tar.gz", {"model.skops": the_estimator()})
    environment = {"SAGEMAKER_PROGRAM": "serve.py"}
    arn = a_model_package(client, "scripted", a_container(uri, Environment=environment))

    (note,) = read(root, arn).notes

    assert "model package scripted/1 names serve.py as its script" in note


def test_without_a_region_or_credentials_the_way_to_set_them_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(SetupError, match="no AWS credentials are set; set AWS_PROFILE"):
        read(root, "training-job:fraud-1")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with pytest.raises(SetupError, match=r"no AWS region is set.*set AWS_REGION"):
        read(root, "training-job:fraud-1")
