"""What the registry refuses, in SageMaker's words where somebody saw them: pure.

Source: getmoto/moto#7165 (neither or both names); the AWS controllers for Kubernetes, apis and
    tests of ModelPackage and ModelPackageGroup ("... does not exist."); apache/airflow#28024
    (a group that is there); botocore (tags are the group's). The other texts are assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.cloud.errors import ApiError, validation_exception
from rehearsal.cloud.hosting import messages

# What SageMaker would do something about; nothing here would.
NOT_REHEARSED: Mapping[str, tuple[str, str]] = {
    "ValidationSpecification": ("the validation of model packages", "leave it out"),
    "SourceAlgorithmSpecification": ("algorithm resources", "give InferenceSpecification"),
    "ModelCard": ("model cards", "leave ModelCard out"),
    "SecurityConfig": ("model cards, which SecurityConfig encrypts", "leave SecurityConfig out"),
    "ManagedStorageType": ("managed storage of models", "leave ManagedStorageType out"),
    "ManagedConfiguration": ("managed model package groups", "leave ManagedConfiguration out"),
}


def check_rehearsed(asked: Mapping[str, Any]) -> None:
    """Refuse by name what would only be stored here.

    Raises:
        ApiError: one of NOT_REHEARSED, or a listing on the Marketplace
    """
    for member, (feature, instead) in NOT_REHEARSED.items():
        if member in asked:
            raise messages.not_rehearsed(feature, instead)
    if asked.get("CertifyForMarketplace"):
        raise messages.not_rehearsed("AWS Marketplace", "leave CertifyForMarketplace out")


def check_new_version(asked: Mapping[str, Any]) -> None:
    """Refuse a version that contradicts itself.

    Raises:
        ApiError: no group or a name beside it, tags of its own, nothing to serve
    """
    check_rehearsed(asked)
    group, name = asked.get("ModelPackageGroupName"), asked.get("ModelPackageName")
    if group is not None and name is not None:
        raise validation_exception(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot "
            "determine which one to use."
        )
    if name is not None:
        raise messages.not_rehearsed(
            "model packages without a group", "give ModelPackageGroupName in place of the name"
        )
    if group is None:
        raise validation_exception("Missing ARN.")
    if asked.get("Tags"):
        raise validation_exception(
            "Tags cannot be specified for a versioned model package; it uses the tags of its "
            "model package group."
        )
    if "InferenceSpecification" not in asked:
        raise messages.not_rehearsed(
            "model packages made of another one (SourceUri)", "give InferenceSpecification"
        )


def group_exists(arn: str) -> ApiError:
    """Return the refusal of a taken name."""
    return validation_exception(f"Model Package Group already exists: {arn}")


def no_such_group(arn: str) -> ApiError:
    """Return the refusal of a group that isn't there."""
    return validation_exception(f"ModelPackageGroup {arn} does not exist.")


def no_such_version(arn: str) -> ApiError:
    """Return the refusal of a version that isn't there."""
    return validation_exception(f"ModelPackage {arn} does not exist.")


def group_is_used(arn: str) -> ApiError:
    """Return the refusal to delete a group that has versions."""
    return ApiError(
        "ConflictException",
        f"ModelPackageGroup {arn} contains model packages. Delete them before the group.",
    )
