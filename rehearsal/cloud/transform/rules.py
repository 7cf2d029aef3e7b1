"""Rules of a transform job that botocore's shapes don't state: pure checks that raise.

Source: botocore CreateTransformJobRequest, TransformS3DataSource, ContainerDefinition
(ModelDataSource); SageMaker Developer Guide, "Associate Prediction Results with Input Records".
The texts are assumed, but for a name that is taken or missing and for no objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.cloud.errors import ApiError, validation_exception
from rehearsal.cloud.fleets.definition import MULTI_MODEL, definitions_of
from rehearsal.cloud.hosting.messages import not_rehearsed
from rehearsal.cloud.hosting.model_rules import check_container
from rehearsal.cloud.transform.errors import JsonPathError
from rehearsal.cloud.transform.processing import Format, format_of, processing_from_members

MAXIMUM_PAYLOAD_MB = 100
DATA_TYPES = ("S3Prefix", "ManifestFile")
NO_OBJECTS = (
    'No S3 objects found under S3 URL "{url}" given in input data source. Please ensure that the '
    "bucket exists in the selected region ({region}), that objects exist under that S3 prefix, "
    'and that the role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".'
)


def name_is_taken(arn: str) -> ApiError:
    """Return the refusal of a taken name, in the words for training jobs (assumed)."""
    return ApiError(
        "ResourceInUse",
        "Job name must be unique within an AWS account and region, and a job with this name "
        f"already exists ({arn})",
    )


def not_found(name: str) -> ApiError:
    """Return the refusal of a missing name; its beginning is the one AWS's controllers match."""
    return validation_exception(f"Could not find requested job with name: {name}")


def check_job(asked: Mapping[str, Any]) -> None:
    """Refuse a job whose members contradict each other or that this rehearsal doesn't do."""
    _check_payload(asked)
    source = asked["TransformInput"]["DataSource"]["S3DataSource"]
    if source["S3DataType"] not in DATA_TYPES:
        raise validation_exception(
            f"S3DataType {source['S3DataType']} is not supported for transform jobs; use "
            f"{' or '.join(DATA_TYPES)}."
        )
    if asked.get("DataProcessing"):
        _check_processing(asked)
    if "ExperimentConfig" in asked:
        raise not_rehearsed("experiments", "leave ExperimentConfig out")


def _check_payload(asked: Mapping[str, Any]) -> None:
    payload_mb = asked.get("MaxPayloadInMB")
    if payload_mb is None:
        return
    if payload_mb > MAXIMUM_PAYLOAD_MB:
        raise validation_exception(
            f"MaxPayloadInMB {payload_mb} is above the limit of {MAXIMUM_PAYLOAD_MB}."
        )
    total = payload_mb * asked.get("MaxConcurrentTransforms", 1)
    if total > MAXIMUM_PAYLOAD_MB:
        raise validation_exception(
            f"MaxConcurrentTransforms times MaxPayloadInMB is {total}, above the limit of "
            f"{MAXIMUM_PAYLOAD_MB}."
        )


def _check_processing(asked: Mapping[str, Any]) -> None:
    try:
        processing = processing_from_members(asked["DataProcessing"])
    except JsonPathError as err:
        raise validation_exception(str(err)) from err
    if not processing.filters_input and not processing.changes_output:
        return
    given, wanted = asked["TransformInput"], asked["TransformOutput"]
    form = format_of(given.get("ContentType"))
    answered = format_of(wanted.get("Accept")) if "Accept" in wanted else form
    if form is None or answered is None:
        allowed = ", ".join(each.value for each in Format)
        raise validation_exception(
            f"DataProcessing needs ContentType and Accept to be one of {allowed}; given "
            f"{given.get('ContentType')} and {wanted.get('Accept')}."
        )
    if (form is Format.CSV) is not (answered is Format.CSV) and processing.joins:
        raise validation_exception(
            f"JoinSource Input can't join {form.value} with {answered.value}; use one format."
        )
    if Format.CSV not in (form, answered):
        return
    split, assembled = given.get("SplitType"), wanted.get("AssembleWith")
    if split != "Line" or assembled != "Line":
        raise validation_exception(
            "DataProcessing of text/csv needs SplitType and AssembleWith Line; given "
            f"{split} and {assembled}."
        )
    for path, applies in (
        (processing.input_filter, form),
        (processing.output_filter, answered),
    ):
        if applies is Format.CSV and not path.is_index_based:
            raise validation_exception(
                f"JSONPath '{path.text}' names attributes; for text/csv only indexes work."
            )


def check_model(model: Mapping[str, Any]) -> None:
    """Refuse a model that batch transform doesn't take, or that can't be run here."""
    for container in definitions_of(model):
        check_container(container)
        if "ModelDataSource" in container:
            raise validation_exception(
                "ModelDataSource is not supported for transform jobs; use ModelDataUrl."
            )
        if container.get("Mode") == MULTI_MODEL:
            raise validation_exception("Transform jobs do not support multi-model containers.")
    if model.get("InferenceExecutionConfig", {}).get("Mode") == "Direct":
        raise validation_exception("Transform jobs do not support InferenceExecutionConfig Direct.")
