"""A place a model comes from is one of four kinds, told apart by its words alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from automation.errors import SourceError, UsageError
from automation.source import Source, SourceKind, bucket_and_key, problem_with, source_from_text

JOB_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/fraud-1"
PACKAGE_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/3"
GROUP_ARN = "arn:aws-us-gov:sagemaker:us-gov-west-1:123456789012:model-package-group/fraud"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("models/fraud/model.skops", SourceKind.ESTIMATOR_FILE, "models/fraud/model.skops"),
        ("model.joblib", SourceKind.ESTIMATOR_FILE, "model.joblib"),
        ("model.tar.gz", SourceKind.ARTIFACT, "model.tar.gz"),
        ("s3://bucket/a/model.tar.gz", SourceKind.ARTIFACT, "s3://bucket/a/model.tar.gz"),
        ("s3://bucket/model.skops", SourceKind.ARTIFACT, "s3://bucket/model.skops"),
        ("training-job:fraud-1", SourceKind.TRAINING_JOB, "fraud-1"),
        (JOB_ARN, SourceKind.TRAINING_JOB, JOB_ARN),
        (f"training-job:{JOB_ARN}", SourceKind.TRAINING_JOB, JOB_ARN),
        ("model-package:fraud", SourceKind.MODEL_PACKAGE, "fraud"),
        (PACKAGE_ARN, SourceKind.MODEL_PACKAGE, PACKAGE_ARN),
        (f"model-package:{GROUP_ARN}", SourceKind.MODEL_PACKAGE, GROUP_ARN),
    ],
)
def test_every_form_is_told_by_its_words(text: str, kind: SourceKind, value: str) -> None:
    assert source_from_text(text, Path()) == Source(kind=kind, value=value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("model.h5", r"ends in none of \.skops"),
        ("s3://bucket", "is not s3://BUCKET/KEY"),
        ("s3://Bucket/model.tar.gz", "is not s3://BUCKET/KEY"),
        ("s3://bucket/model.zip", r"ends in none of \.tar\.gz"),
        ("training-job:", "neither the name nor the ARN of a training job"),
        ("training-job:-x", "neither the name nor the ARN of a training job"),
        (f"{JOB_ARN}/2", "neither the name nor the ARN of a training job"),
        (f"model-package:{JOB_ARN}", "neither the name nor the ARN of a training job"),
        ("model-package:fraud/x", "neither a model package group, GROUP or GROUP/VERSION, nor"),
        ("https://bucket.s3.amazonaws.com/x.tar.gz", "neither a path nor s3://BUCKET/KEY"),
        ("arn:aws:s3:::bucket/x.skops", "neither a path nor s3://BUCKET/KEY"),
    ],
)
def test_anything_else_is_refused_with_the_forms_there_are(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=f"{problem}.*; allowed are a file"):
        source_from_text(text, Path())


def test_an_arn_says_its_region_and_anything_else_says_none() -> None:
    assert source_from_text(GROUP_ARN, Path()).region == "us-gov-west-1"
    assert source_from_text("model-package:fraud", Path()).region is None


def test_a_source_names_itself_as_a_person_would() -> None:
    assert str(source_from_text("training-job:fraud", Path())) == "training job fraud"
    assert str(source_from_text("s3://bucket/x.skops", Path("/a"))) == "s3://bucket/x.skops"


def test_a_relative_path_begins_where_the_command_was_given() -> None:
    assert source_from_text("a/x.skops", Path("/home")).value == "/home/a/x.skops"
    assert source_from_text("/b/x.tgz", Path("/home")).value == "/b/x.tgz"


def test_an_uri_is_taken_apart_at_its_first_slash() -> None:
    assert bucket_and_key("s3://bucket/a/b c.tar.gz") == ("bucket", "a/b c.tar.gz")
    with pytest.raises(SourceError, match="'s3:///x' is not s3://BUCKET/KEY"):
        bucket_and_key("s3:///x")


def test_a_good_value_has_no_problem() -> None:
    assert problem_with(SourceKind.ARTIFACT, "build/model.tgz") is None
