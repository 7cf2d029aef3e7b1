"""KMS keys.

Source: hashicorp/terraform-provider-aws internal/service/kms/key.go.
"""

from __future__ import annotations

from typing import Any

from rehearsal.provider.aws import Aws, AwsError
from rehearsal.provider.entry import Change, ResourceType, Rule
from rehearsal.provider.schema import SchemaSource
from rehearsal.provider.tags import KMS, read_tags, tag_list, update_tags
from rehearsal.provider.value import Values

PACKAGE = "pulumi_aws.kms"
PROPAGATION_SECONDS = 120
GONE = ("NotFoundException",)
GONE_STATES = ("PendingDeletion", "PendingReplicaDeletion")
DEFAULT_POLICY = "default"


class KeyOperations:
    """A customer managed key; deleting schedules its deletion, which counts as gone."""

    def create(self, aws: Aws, values: Values) -> str:
        answer = aws.retry(
            PROPAGATION_SECONDS,
            lambda: aws.call(
                "kms",
                "CreateKey",
                Description=values.get("description"),
                KeySpec=values["customerMasterKeySpec"],
                KeyUsage=values["keyUsage"],
                MultiRegion=values.get("multiRegion"),
                Policy=values.get("policy"),
                Tags=tag_list(values.get("tags"), KMS),
            ),
            lambda err: err.code == "MalformedPolicyDocumentException",
        )
        identifier: str = answer["KeyMetadata"]["KeyId"]
        if values.get("enableKeyRotation"):
            self._set_rotation(aws, identifier, values)
        if not values["isEnabled"]:
            aws.call("kms", "DisableKey", KeyId=identifier)
        return identifier

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            found = aws.call("kms", "DescribeKey", KeyId=identifier)["KeyMetadata"]
        except AwsError as err:
            if err.code in GONE:
                return None
            raise
        if found["KeyState"] in GONE_STATES:
            return None
        policy = aws.call("kms", "GetKeyPolicy", KeyId=identifier, PolicyName=DEFAULT_POLICY)
        return {
            "arn": found["Arn"],
            "keyId": found["KeyId"],
            "description": found.get("Description", ""),
            "customerMasterKeySpec": found.get("KeySpec", found.get("CustomerMasterKeySpec")),
            "keyUsage": found["KeyUsage"],
            "isEnabled": found["Enabled"],
            "multiRegion": found.get("MultiRegion", False),
            "policy": policy["Policy"],
            **self._rotation(aws, identifier),
            **read_tags(aws, KMS, identifier),
        }

    def update(self, aws: Aws, change: Change) -> None:
        identifier, new = change.identifier, change.new
        if change.touches("isEnabled") and new["isEnabled"]:
            aws.call("kms", "EnableKey", KeyId=identifier)
        if change.touches("enableKeyRotation", "rotationPeriodInDays"):
            self._set_rotation(aws, identifier, new)
        if change.touches("description"):
            description = new.get("description", "")
            aws.call("kms", "UpdateKeyDescription", KeyId=identifier, Description=description)
        if change.touches("policy"):
            self._put_policy(aws, identifier, new["policy"])
        if change.touches("isEnabled") and not new["isEnabled"]:
            aws.call("kms", "DisableKey", KeyId=identifier)
        update_tags(aws, KMS, identifier, change)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        days = known.get("deletionWindowInDays")
        try:
            aws.call("kms", "ScheduleKeyDeletion", KeyId=identifier, PendingWindowInDays=days)
        except AwsError as err:
            is_pending = "is pending deletion" in err.message
            if err.code not in GONE and not is_pending:
                raise

    def _put_policy(self, aws: Aws, identifier: str, policy: str) -> None:
        aws.call("kms", "PutKeyPolicy", KeyId=identifier, PolicyName=DEFAULT_POLICY, Policy=policy)

    def _set_rotation(self, aws: Aws, identifier: str, values: Values) -> None:
        if values.get("enableKeyRotation"):
            days = values.get("rotationPeriodInDays")
            aws.call("kms", "EnableKeyRotation", KeyId=identifier, RotationPeriodInDays=days)
        else:
            aws.call("kms", "DisableKeyRotation", KeyId=identifier)

    def _rotation(self, aws: Aws, identifier: str) -> dict[str, Any]:
        try:
            found = aws.call("kms", "GetKeyRotationStatus", KeyId=identifier)
        except AwsError as err:
            # Only symmetric keys rotate.
            if err.code == "UnsupportedOperationException":
                return {"enableKeyRotation": False}
            raise
        rotation = {"enableKeyRotation": found["KeyRotationEnabled"]}
        if found["KeyRotationEnabled"] and "RotationPeriodInDays" in found:
            rotation["rotationPeriodInDays"] = found["RotationPeriodInDays"]
        return rotation


TYPES = (
    ResourceType(
        token="aws:kms/key:Key",
        title="KMS Key",
        source="terraform-provider-aws internal/service/kms/key.go",
        schema=SchemaSource(package=PACKAGE, resource="Key", arguments="KeyArgs"),
        operations=KeyOperations(),
        replaces=frozenset(
            {
                "customKeyStoreId",
                "customerMasterKeySpec",
                "keyUsage",
                "multiRegion",
                "xksKeyId",
            }
        ),
        defaults={
            "bypassPolicyLockoutSafetyCheck": False,
            "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "isEnabled": True,
            "keyUsage": "ENCRYPT_DECRYPT",
        },
        computed=frozenset({"description", "multiRegion", "policy", "rotationPeriodInDays"}),
        state_only=frozenset({"bypassPolicyLockoutSafetyCheck", "deletionWindowInDays"}),
        rules={
            "deletionWindowInDays": Rule(minimum=7, maximum=30),
            "rotationPeriodInDays": Rule(minimum=90, maximum=2560),
            "keyUsage": Rule(shape=("kms", "KeyUsageType")),
            "customerMasterKeySpec": Rule(shape=("kms", "KeySpec")),
        },
        documents=frozenset({"policy"}),
        unsupported={
            "customKeyStoreId": "there is no custom key store",
            "xksKeyId": "there is no external key store",
        },
    ),
)
