"""Finds a model's data in AWS or on disk and reads it: S3, a training job, the Model Registry.

What AWS says of the model is checked before a byte of it is downloaded: a job that did not finish,
a version nobody approved, an image with another scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from automation.archive import LIMITS, files_from_archive, refuse_above
from automation.errors import SourceError
from automation.gate.aws_questions import Clients, asking
from automation.gate.version_drift import check_fitted_with, version_in_image
from automation.source import ARCHIVE_SUFFIXES, Source, SourceKind, bucket_and_key

APPROVED = "Approved"
COMPLETED = "Completed"
SKLEARN_FRAMEWORKS = ("SKLEARN", "SCIKIT-LEARN")
PROGRAM_VARIABLE = "SAGEMAKER_PROGRAM"


@dataclass(frozen=True, kw_only=True)
class ModelData:
    """What a source holds, as it lies there.

    Args:
        name: the source and where its data lies, as errors and reports call it.
        label: the source alone, the same on every machine; a path is its file name.
        content: the bytes of the file or archive.
        files: of an archive, contents by path; of a single file, that one.
        is_archive: whether `content` is an archive.
        notes: what a person should know of the source.
    """

    name: str
    label: str
    content: bytes
    files: Mapping[str, bytes]
    is_archive: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a source's data lies, and what the source says of it.

    Args:
        uri: in S3, or a path.
    """

    uri: str
    name: str
    label: str
    etag: str | None = None
    notes: tuple[str, ...] = ()


def read_source(source: Source, root: Path, region: str | None = None) -> ModelData:
    """Read what a source holds.

    Args:
        root: the project; a path of the source that is not absolute begins there.
        region: where SageMaker and S3 are asked; an ARN names its own.

    Raises:
        SourceError: it is not there, not finished, not approved, too large, or no plain archive.
        VersionDriftError: it was trained by another scikit-learn than the one installed here.
        SetupError: there is no region or there are no credentials.
    """
    if source.is_local:
        path = source.value
        local = _Place(uri=path, name=path, label=PurePosixPath(path).name)
        return _model_data(local, _read_file(root, path))
    clients = Clients(source.region if source.region is not None else region)
    place = _place_of(source, clients)
    return _model_data(place, _download(place, clients))


def _model_data(place: _Place, content: bytes) -> ModelData:
    is_archive = place.uri.endswith(ARCHIVE_SUFFIXES)
    files = {PurePosixPath(place.uri).name: content}
    if is_archive:
        files = files_from_archive(content, place.name)
    return ModelData(
        name=place.name,
        label=place.label,
        content=content,
        files=files,
        is_archive=is_archive,
        notes=place.notes,
    )


def _read_file(root: Path, path: str) -> bytes:
    place = root / path
    if not place.is_file():
        raise SourceError(f"{path} does not exist; give a file, or an s3:// URI")
    refuse_above(place.stat().st_size, LIMITS.archive_bytes, path)
    return place.read_bytes()


def _place_of(source: Source, clients: Clients) -> _Place:
    if source.kind is SourceKind.ARTIFACT:
        return _Place(uri=source.value, name=source.value, label=source.value)
    sagemaker = clients.client("sagemaker")
    if source.kind is SourceKind.TRAINING_JOB:
        return _place_of_training_job(source, sagemaker)
    return _place_of_model_package(source, sagemaker)


def _place_of_training_job(source: Source, sagemaker: Any) -> _Place:
    job = source.value.rpartition("/")[2]
    look = "sagemaker list-training-jobs"
    with asking(f"{source} cannot be described", sagemaker, look):
        described = sagemaker.describe_training_job(TrainingJobName=job)
    arn = str(described.get("TrainingJobArn"))
    # SageMaker writes some names in lower case.
    if source.value.lower() not in (job.lower(), arn.lower()):
        # Jobs are asked for by name, of which this account may have one, too.
        raise SourceError(
            f"{source} is of another account; the credentials see {arn}: use those of its account"
        )
    status = described.get("TrainingJobStatus")
    if status != COMPLETED:
        reason = described.get("FailureReason")
        raise SourceError(
            f"{source} is {status}{'' if reason is None else f' ({reason})'}; its model can be "
            f"taken once it is {COMPLETED}"
        )
    uri = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if not uri:
        raise SourceError(
            f"{source} left no model artifact; write the model to /opt/ml/model in its script"
        )
    image = described.get("AlgorithmSpecification", {}).get("TrainingImage", "")
    _refuse_drift(version_in_image(image), f"the estimator of {source} (image {image})")
    return _Place(uri=uri, name=f"{source} ({uri})", label=f"training-job/{job}")


def _place_of_model_package(source: Source, sagemaker: Any) -> _Place:
    arn = source.value
    if ":model-package/" not in arn:
        arn = _version_of(source, sagemaker)
    group = arn.rpartition(":model-package/")[2].partition("/")[0]
    look = f"sagemaker list-model-packages --model-package-group-name {group}"
    with asking(f"model package {arn} cannot be described", sagemaker, look):
        described = sagemaker.describe_model_package(ModelPackageName=arn)
    approval = described.get("ModelApprovalStatus")
    if approval != APPROVED:
        raise SourceError(
            f"model package {arn} is {approval}; only an {APPROVED} one is taken: {_approve(arn)}"
        )
    status = described.get("ModelPackageStatus", COMPLETED)
    if status != COMPLETED:
        raise SourceError(f"model package {arn} is {status}; it can be taken once {COMPLETED}")
    containers = described.get("InferenceSpecification", {}).get("Containers", [])
    if len(containers) != 1:
        raise SourceError(
            f"model package {arn} has {len(containers)} containers; greenlight serves a model in "
            "one, so register one that has the whole pipeline in a single estimator"
        )
    (container,) = containers
    version = arn.rpartition(":model-package/")[2]
    name = f"model package {version}"
    _refuse_drift(_framework_version(container), f"the estimator of {name}")
    uri = _data_of_container(container, name)
    return _Place(
        uri=uri,
        name=f"{name} ({uri})",
        label=f"model-package/{version}",
        etag=container.get("ModelDataETag"),
        notes=_notes_of_container(container, name),
    )


def _version_of(source: Source, sagemaker: Any) -> str:
    """Return the ARN of the version of a group: the one named, else the latest approved."""
    # The ARN of a group is asked for whole: this account may have a group of that name, too.
    group, number = source.value, ""
    if not group.startswith("arn:"):
        group, _, number = group.partition("/")
    versions = _versions(group, sagemaker)
    if not versions:
        raise SourceError(
            f"model package group {group} has no version; `aws sagemaker create-model-package` "
            "registers one"
        )
    latest = versions[0]
    for version in versions:
        is_meant = version.get("ModelApprovalStatus") == APPROVED
        if number:
            is_meant = version.get("ModelPackageVersion") == int(number)
        if is_meant:
            return str(version["ModelPackageArn"])
    if number:
        raise SourceError(
            f"model package group {group} has no version {number}; its latest is "
            f"{latest.get('ModelPackageVersion')}"
        )
    raise SourceError(
        f"model package group {group} has no {APPROVED} version, its latest is "
        f"{latest.get('ModelApprovalStatus')}: {_approve(latest['ModelPackageArn'])}"
    )


def _versions(group: str, sagemaker: Any) -> list[Mapping[str, Any]]:
    """List the versions of a group, the latest first."""
    look = "sagemaker list-model-package-groups"
    with asking(f"the versions of model package group {group} cannot be listed", sagemaker, look):
        pages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, PaginationConfig={"PageSize": 100}
        )
        found = [each for page in pages for each in page["ModelPackageSummaryList"]]
    return sorted(found, key=lambda each: int(each.get("ModelPackageVersion", 0)), reverse=True)


def _approve(arn: str) -> str:
    return (
        f"`aws sagemaker update-model-package --model-package-arn {arn} --model-approval-status "
        f"{APPROVED}` approves one"
    )


def _data_of_container(container: Mapping[str, Any], name: str) -> str:
    uri = container.get("ModelDataUrl")
    if uri:
        return str(uri)
    place = container.get("ModelDataSource", {}).get("S3DataSource")
    if place is None:
        raise SourceError(f"{name} names no model data; register it with a ModelDataUrl")
    form = (place.get("S3DataType"), place.get("CompressionType"))
    if form != ("S3Object", "Gzip"):
        raise SourceError(
            f"{name} names no single model.tar.gz (S3DataType {form[0]}, CompressionType "
            f"{form[1]}); register it with a ModelDataUrl"
        )
    return str(place["S3Uri"])


def _framework_version(container: Mapping[str, Any]) -> str | None:
    """Return the scikit-learn a registered container says it has, as `1.2`."""
    version = version_in_image(str(container.get("Image", "")))
    if version is None and str(container.get("Framework", "")).upper() in SKLEARN_FRAMEWORKS:
        version = str(container.get("FrameworkVersion", "")).partition("-")[0] or None
    return version


def _notes_of_container(container: Mapping[str, Any], name: str) -> tuple[str, ...]:
    program = container.get("Environment", {}).get(PROGRAM_VARIABLE)
    if program is None:
        return ()
    return (
        f"{name} names {program} as its script ({PROGRAM_VARIABLE}); it serves here only as "
        "code/inference.py of the archive, or as `script` of the spec",
    )


def _refuse_drift(version: str | None, name: str) -> None:
    if version is not None:
        check_fitted_with(version, name)


def _download(place: _Place, clients: Clients) -> bytes:
    bucket, key = bucket_and_key(place.uri)
    s3 = clients.client("s3")
    folder = f"s3://{bucket}/{key.rpartition('/')[0]}"
    with asking(f"{place.name} cannot be read", s3, f"s3 ls {folder.rstrip('/')}/"):
        answer = s3.get_object(Bucket=bucket, Key=key)
        refuse_above(answer["ContentLength"], LIMITS.archive_bytes, place.name)
        content: bytes = answer["Body"].read(LIMITS.archive_bytes + 1)
    if len(content) != answer["ContentLength"]:
        raise SourceError(
            f"{place.name} ended after {len(content)} of {answer['ContentLength']} bytes; try again"
        )
    if place.etag is not None and place.etag.strip('"') != answer["ETag"].strip('"'):
        raise SourceError(
            f"{place.name} has the ETag {answer['ETag']}, {place.etag} was registered: it was "
            "changed in S3 after its registration; register it again"
        )
    return content
