"""Texts SageMaker answers with, in one table.

Source: field reports, the AWS provider's source and the SageMaker Developer Guide, gathered in
2026; texts no source states are marked as assumed beside the test that uses them.
"""

from __future__ import annotations

from rehearsal.cloud.errors import ApiError, validation_exception

NOUNS = {
    "model": "model",
    "endpoint-config": "endpoint configuration",
    "endpoint": "endpoint",
}

PING_FAILED = (
    "The primary container for production variant {variant} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)
CANNOT_START = (
    "CannotStartContainerError. Please ensure the model container for variant {variant} starts "
    "correctly when invoked with 'docker run <image> serve'."
)
IMAGE_MISSING = (
    "Please make sure all images included in the model for the production variant {variant} "
    "exist, and that the execution role used to create the model has permissions to access them."
)
DOWNLOAD_FAILED = (
    'Failed to download model data for container "{container}" from URL: "{url}". Please ensure '
    "that there is an object located at the URL and that the role passed to CreateModel has "
    "permissions to download the object."
)
SERVERLESS_FAILED = (
    'Received server error (0) from model with message "An error occurred while handling request '
    'as the model process exited.". See https://{region}.console.aws.amazon.com/cloudwatch/home?'
    "region={region}#logEventViewer:group=/aws/sagemaker/Endpoints/{endpoint} in account "
    "{account} for more information."
)
NO_CAPACITY = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. "
    "Please retry using a different ML instance type or after some time."
)
ALARM_TRIPPED = (
    "The deployment was rolled back because the following CloudWatch alarms were in state ALARM "
    "while the new fleet was baking: {alarms}."
)
TIMED_OUT = (
    "The deployment exceeded its MaximumExecutionTimeoutInSeconds of {seconds} seconds and was "
    "rolled back."
)
ROLE_REFUSED = (
    "Could not assume role {role}. Please ensure that the role exists and allows principal "
    "'sagemaker.amazonaws.com' to assume the role."
)
IMAGE_REFUSED = (
    "Role {role} cannot pull {image}. Ensure that the role exists and the image was granted pull "
    "permission."
)
MODEL_DATA_MISSING = "Could not find model data at {url}."
MANAGED_SCALING_REFUSED = (
    "ManagedInstanceScaling is only supported for inference component endpoints."
)
TARGET_REGISTERED = (
    'Cannot update endpoint "{arn}": variant(s) {variants} change instance type or are removed '
    "while registered as Application Auto Scaling scalable targets. Delete the scaling policies "
    "and deregister the scalable targets first."
)


def already_exists(kind: str, arn: str) -> ApiError:
    """Return the refusal of a taken name."""
    return validation_exception(f'Cannot create already existing {NOUNS[kind]} "{arn}".')


def not_found(kind: str, arn: str) -> ApiError:
    """Return the refusal of a name that isn't there."""
    return validation_exception(f'Could not find {NOUNS[kind]} "{arn}".')


def in_progress(arn: str) -> ApiError:
    """Return the refusal of a change during another; deletes get the word "update", too."""
    return validation_exception(f'Cannot update in-progress endpoint "{arn}".')


def not_rehearsed(feature: str, instead: str) -> ApiError:
    """Return the refusal of something SageMaker does and this rehearsal doesn't."""
    return validation_exception(f"the rehearsal cloud does not do {feature}; {instead}")
