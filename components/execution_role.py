"""The rights of the role that SageMaker runs the server with: as few as serving needs. Pure."""

import json

# What a container's logs and metrics are written under.
# Source: Developer Guide, "SageMaker roles", CreateModel API: execution role permissions.
_LOG_GROUPS = "/aws/sagemaker/*"
_METRIC_NAMESPACES = ["AWS/SageMaker", "/aws/sagemaker/Endpoints"]


def trust_policy() -> str:
    """Who may assume the role: SageMaker alone."""
    return _document(
        [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
            }
        ]
    )


def execution_policy(
    *,
    bucket_arn: str,
    repository_arn: str,
    kms_key_arn: str | None,
    partition: str,
    region: str,
    account_id: str,
) -> str:
    """The role's policy as a JSON document.

    Source: Developer Guide, "SageMaker roles", CreateModel API: execution role permissions;
        "Auto-rollback configuration and monitoring" for DescribeAlarms.
    """
    logs = f"arn:{partition}:logs:{region}:{account_id}:log-group:{_LOG_GROUPS}"
    statements: list[dict[str, object]] = [
        _allow("ReadArtifacts", ["s3:GetObject"], f"{bucket_arn}/models/*"),
        _allow("ListArtifacts", ["s3:ListBucket"], bucket_arn),
        _allow(
            "PullServerImage",
            [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            repository_arn,
        ),
        # These three cannot be limited to a resource.
        _allow("SignInToRegistry", ["ecr:GetAuthorizationToken"], "*"),
        _allow("WatchRollbackAlarms", ["cloudwatch:DescribeAlarms"], "*"),
        {
            **_allow("PublishMetrics", ["cloudwatch:PutMetricData"], "*"),
            "Condition": {"StringEquals": {"cloudwatch:namespace": _METRIC_NAMESPACES}},
        },
        _allow(
            "WriteLogs",
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            logs,
        ),
    ]
    if kms_key_arn is not None:
        statements.append(_allow("DecryptArtifacts", ["kms:Decrypt"], kms_key_arn))
    return _document(statements)


def _allow(name: str, actions: list[str], resource: str) -> dict[str, object]:
    return {"Sid": name, "Effect": "Allow", "Action": actions, "Resource": resource}


def _document(statements: list[dict[str, object]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
