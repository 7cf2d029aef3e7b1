"""What a model can come from, made in moto: objects, training jobs, registered versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from automation.artifact import archive_bytes

BUCKET = "models"
ACCOUNT, REGION = "123456789012", "eu-west-1"
OLD_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
OWN_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/training:1"


def put(client: Any, key: str, files: Mapping[str, bytes]) -> str:
    client("s3").put_object(Bucket=BUCKET, Key=key, Body=archive_bytes(files))
    return f"s3://{BUCKET}/{key}"


def a_training_job(client: Any, name: str, image: str = OWN_IMAGE, status: str = "") -> None:
    client("sagemaker").create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/training",
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    if status:
        job = sagemaker_backends[ACCOUNT][REGION].training_jobs[name]
        job.training_job_status = status


def a_container(uri: str, **members: Any) -> dict[str, Any]:
    return {"Image": OWN_IMAGE, "ModelDataUrl": uri} | members


def a_model_package(
    client: Any, group: str, *containers: dict[str, Any], status: str = "Approved"
) -> str:
    sagemaker = client("sagemaker")
    groups = sagemaker.list_model_package_groups(NameContains=group)
    if not groups["ModelPackageGroupSummaryList"]:
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus=status,
        InferenceSpecification={
            "Containers": list(containers),
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    return arn
