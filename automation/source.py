"""Where a model comes from when it was trained elsewhere: one value, from a spec or `--from`.

Only the words are checked here; nothing is read. What cannot be one of these is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from automation.errors import SourceError, UsageError

SKOPS_SUFFIX = ".skops"
PICKLE_SUFFIXES = (".joblib", ".pkl", ".pickle")
ESTIMATOR_SUFFIXES = (SKOPS_SUFFIX, *PICKLE_SUFFIXES)
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")
TRAINING_JOB_PREFIX = "training-job:"
MODEL_PACKAGE_PREFIX = "model-package:"
FORMS = (
    "a file (.skops, .joblib, .pkl, .tar.gz), s3://BUCKET/KEY, training-job:NAME, "
    "model-package:GROUP[/VERSION], or the ARN of a training job or model package"
)
# Source: SageMaker API Reference, DescribeTrainingJob and DescribeModelPackage.
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_GROUP_VERSION = re.compile(rf"{_NAME.pattern}(/\d{{1,9}})?")
_JOB_ARN = re.compile(rf"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{{12}}:training-job/{_NAME.pattern}")
_PACKAGE_ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:"
    rf"(model-package/{_NAME.pattern}(/\d{{1,9}})?|model-package-group/{_NAME.pattern})"
)
# Source: Amazon S3 User Guide, "General purpose bucket naming rules".
_S3_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^/].*)", re.DOTALL)


class SourceKind(StrEnum):
    """What kind of place a model comes from; the values are the keys of a spec's `source`."""

    ESTIMATOR_FILE = "estimatorFile"
    ARTIFACT = "artifact"
    TRAINING_JOB = "trainingJob"
    MODEL_PACKAGE = "modelPackage"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A place a model comes from.

    Args:
        value: a path, an s3:// URI, a name, or an ARN, as `kind` wants it.
    """

    kind: SourceKind
    value: str

    @property
    def is_local(self) -> bool:
        """Whether it is a path, and not something of AWS's."""
        is_file = self.kind in (SourceKind.ESTIMATOR_FILE, SourceKind.ARTIFACT)
        return is_file and not self.value.startswith("s3:")

    @property
    def region(self) -> str | None:
        """The region an ARN names; None leaves it to the caller."""
        return self.value.split(":")[3] if self.value.startswith("arn:") else None

    def __str__(self) -> str:
        """Name the place as a person would."""
        words = {
            SourceKind.TRAINING_JOB: "training job ",
            SourceKind.MODEL_PACKAGE: "model package ",
        }
        return f"{words.get(self.kind, '')}{self.value}"


def source_from_text(text: str, folder: Path) -> Source:
    """Read what was given to `--from`.

    Args:
        folder: where a relative path begins.

    Raises:
        UsageError: it is none of the known forms.
    """
    if text.startswith(TRAINING_JOB_PREFIX) or ":training-job/" in text:
        kind, value = SourceKind.TRAINING_JOB, text.removeprefix(TRAINING_JOB_PREFIX)
    elif text.startswith(MODEL_PACKAGE_PREFIX) or ":model-package" in text:
        kind, value = SourceKind.MODEL_PACKAGE, text.removeprefix(MODEL_PACKAGE_PREFIX)
    elif text.startswith("s3:") or text.endswith(ARCHIVE_SUFFIXES):
        kind, value = SourceKind.ARTIFACT, text
    else:
        kind, value = SourceKind.ESTIMATOR_FILE, text
    problem = problem_with(kind, value)
    if problem is not None:
        raise UsageError(f"--from {text!r} {problem}; allowed are {FORMS}")
    source = Source(kind=kind, value=value)
    return replace(source, value=str(folder / text)) if source.is_local else source


def problem_with(kind: SourceKind, value: str) -> str | None:
    """Say what is wrong with a source's value, as the end of a sentence; None where nothing is."""
    if kind is SourceKind.TRAINING_JOB:
        if _NAME.fullmatch(value) or _JOB_ARN.fullmatch(value):
            return None
        return "is neither the name nor the ARN of a training job"
    if kind is SourceKind.MODEL_PACKAGE:
        if _GROUP_VERSION.fullmatch(value) or _PACKAGE_ARN.fullmatch(value):
            return None
        return (
            "is neither a model package group, GROUP or GROUP/VERSION, nor the ARN of one or of a "
            "model package"
        )
    suffixes: tuple[str, ...] = ESTIMATOR_SUFFIXES
    if kind is SourceKind.ARTIFACT:
        suffixes = (*ARCHIVE_SUFFIXES, *ESTIMATOR_SUFFIXES)
        if value.startswith("s3:") and _S3_URI.fullmatch(value) is None:
            return "is not s3://BUCKET/KEY"
    if not value.startswith("s3:") and ("://" in value or value.startswith("arn:")):
        return "is neither a path nor s3://BUCKET/KEY"
    if not value.endswith(suffixes):
        return f"ends in none of {', '.join(suffixes)}"
    return None


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Take an s3:// URI apart.

    Raises:
        SourceError: it is not s3://BUCKET/KEY.
    """
    match = _S3_URI.fullmatch(uri)
    if match is None:
        raise SourceError(f"{uri!r} is not s3://BUCKET/KEY")
    return match.group(1), match.group(2)
