import json
from typing import Any

from components.execution_role import execution_policy, trust_policy


def statements(kms_key_arn: str | None = None) -> dict[str, dict[str, Any]]:
    document = json.loads(
        execution_policy(
            bucket_arn="arn:aws:s3:::artifacts",
            repository_arn="arn:aws:ecr:eu-west-1:123456789012:repository/server",
            kms_key_arn=kms_key_arn,
            partition="aws",
            region="eu-west-1",
            account_id="123456789012",
        )
    )
    return {statement["Sid"]: statement for statement in document["Statement"]}


def test_only_sagemaker_may_assume_the_role() -> None:
    (statement,) = json.loads(trust_policy())["Statement"]

    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"


def test_role_reads_its_bucket_and_pulls_from_its_repository_only() -> None:
    found = statements()

    assert found["ReadArtifacts"]["Action"] == ["s3:GetObject"]
    assert found["ReadArtifacts"]["Resource"] == "arn:aws:s3:::artifacts/models/*"
    assert found["ListArtifacts"]["Resource"] == "arn:aws:s3:::artifacts"
    assert found["PullServerImage"]["Resource"].endswith(":repository/server")


def test_role_writes_logs_of_sagemaker_only() -> None:
    assert statements()["WriteLogs"]["Resource"] == (
        "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/*"
    )


def test_nothing_is_allowed_on_everything_but_what_cannot_be_limited() -> None:
    unlimited = {name for name, entry in statements().items() if entry["Resource"] == "*"}

    assert unlimited == {"SignInToRegistry", "WatchRollbackAlarms", "PublishMetrics"}
    assert "Condition" in statements()["PublishMetrics"]
    assert all("*" not in action for entry in statements().values() for action in entry["Action"])


def test_key_may_be_used_only_where_there_is_one() -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"

    assert "DecryptArtifacts" not in statements()
    assert statements(key)["DecryptArtifacts"]["Resource"] == key
