"""What SageMaker asks of a role before it acts in its name: policies read from moto, decided here.

Source: SageMaker Developer Guide, "How to use SageMaker AI execution roles", CreateModel API and
    CreateEndpoint; "Auto-Rollback Configuration and Monitoring"; read 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.identity.conditions import Context
from rehearsal.cloud.identity.policy import Document, Policies, Request, is_allowed, trusts
from rehearsal.cloud.services import backend

SAGEMAKER_PRINCIPAL = "sagemaker.amazonaws.com"
# Without these no layer of an image comes; GetAuthorizationToken is asked of "*".
PULL_ACTIONS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
TOKEN_ACTION = "ecr:GetAuthorizationToken"
# Condition keys of which the rehearsal knows every value a service role's session has.
COMPLETE = (
    "aws:principaltag/",
    "aws:multifactorauth",
    "aws:sourceowner",
    "s3:existingobjecttag/",
)


@dataclass(frozen=True, kw_only=True)
class Access:
    """Answers whether a role may; every method reads the policies as they are now."""

    account_id: str
    region: str

    def role(self, role_arn: str) -> Any | None:
        """Return moto's role, or None when there is no such role."""
        # A copy, as clients make and delete roles meanwhile.
        roles = list(self._backend("iam").roles.values())
        return next((role for role in roles if role.arn == role_arn), None)

    def trust_problem(self, role_arn: str) -> str | None:
        """Return why SageMaker can't assume a role: it isn't there, or doesn't trust it."""
        role = self.role(role_arn)
        if role is None:
            return f"role {role_arn} does not exist"
        context = Context(values={"aws:sourceaccount": (self.account_id,)})
        if trusts(json.loads(role.assume_role_policy_document), SAGEMAKER_PRINCIPAL, context):
            return None
        return f"role {role_arn} does not trust {SAGEMAKER_PRINCIPAL}"

    def may(
        self,
        role_arn: str,
        action: str,
        resource: str,
        *,
        policy: Document | None = None,
        values: Mapping[str, tuple[str, ...]] | None = None,
        resource_decides: bool = False,
    ) -> bool:
        """Tell whether a role's policies, and the resource's own, allow an action.

        Args:
            policy: the resource's own policy
            values: condition keys in lower case, beside those every request has
            resource_decides: True for KMS keys
        """
        role = self.role(role_arn)
        if role is None:
            return False
        request = Request(
            action=action,
            resource=resource,
            role_arn=role_arn,
            context=Context(values={**self._values(role), **(values or {})}, complete=COMPLETE),
        )
        policies = Policies(
            identity=tuple(self._identity_policies(role)),
            boundary=self._managed_policy(role.permissions_boundary_arn),
            resource=policy,
            resource_decides=resource_decides,
        )
        return is_allowed(request, policies)

    # ---- S3 and the keys its objects are encrypted with

    def may_read(self, role_arn: str, bucket: str, key: str) -> bool:
        """Tell whether s3:GetObject is allowed, and the bucket is in this region."""
        found = self._bucket(bucket)
        if found is None or found.region_name != self.region:
            return False
        stored = self._backend("s3").get_object(bucket, key)
        tags = (
            {}
            if stored is None
            else self._backend("s3").tagger.get_tag_dict_for_resource(stored.arn)
        )
        values = {f"s3:existingobjecttag/{name}".lower(): (tags[name],) for name in tags}
        return self.may(
            role_arn,
            "s3:GetObject",
            f"arn:aws:s3:::{bucket}/{key}",
            policy=_document(found.policy),
            values=values,
        )

    def has_object(self, bucket: str, key: str) -> bool:
        """Tell whether there is such an object."""
        found = self._bucket(bucket)
        return found is not None and self._backend("s3").get_object(bucket, key) is not None

    def may_list(self, role_arn: str, bucket: str, prefix: str = "") -> bool:
        """Tell whether s3:ListBucket is allowed for a prefix."""
        found = self._bucket(bucket)
        return found is not None and self.may(
            role_arn,
            "s3:ListBucket",
            f"arn:aws:s3:::{bucket}",
            policy=_document(found.policy),
            values={"s3:prefix": (prefix,)},
        )

    def may_write(
        self, role_arn: str, bucket: str, key: str, kms_key_id: str | None = None
    ) -> bool:
        """Tell whether s3:PutObject is allowed, and the use of the key that would encrypt it.

        Args:
            kms_key_id: the key asked for; left out, the one of the bucket's default encryption
        """
        found = self._bucket(bucket)
        if found is None or not self.may(
            role_arn,
            "s3:PutObject",
            f"arn:aws:s3:::{bucket}/{key}",
            policy=_document(found.policy),
        ):
            return False
        wanted = kms_key_id if kms_key_id is not None else _default_key(found)
        return wanted is None or self.may_use_key(role_arn, "kms:GenerateDataKey", wanted)

    def may_decrypt(self, role_arn: str, bucket: str, key: str) -> bool:
        """Tell whether the role may use the key an object is encrypted with, if any."""
        found = self._bucket(bucket)
        stored = self._backend("s3").get_object(bucket, key) if found is not None else None
        if stored is None or stored.encryption != "aws:kms" or stored.kms_key_id is None:
            return True
        return self.may_use_key(role_arn, "kms:Decrypt", stored.kms_key_id)

    def may_use_key(self, role_arn: str, action: str, key_id: str) -> bool:
        """Tell whether the role may do something with a KMS key that is there and enabled."""
        key = self.key(key_id)
        if key is None or key.key_state != "Enabled":
            return False
        return self.may(
            role_arn,
            action,
            key.arn,
            policy=_document(key.policy),
            values={
                "kms:calleraccount": (self.account_id,),
                "kms:viaservice": (f"s3.{self.region}.amazonaws.com",),
            },
            resource_decides=True,
        )

    def key(self, key_id: str) -> Any | None:
        """Return moto's KMS key by id, ARN, alias or alias ARN; None when there is none."""
        kms = self._backend("kms")
        try:
            return kms.keys.get(kms.any_id_to_key_id(key_id))
        except (AttributeError, KeyError):
            # moto resolves an alias that isn't there to None and trips over it.
            return None

    # ---- ECR, SNS, CloudWatch

    def may_pull(
        self,
        role_arn: str,
        repository: str,
        *,
        account_id: str | None = None,
        region: str | None = None,
    ) -> bool:
        """Tell whether the role may pull from a repository; this account's unless one is named."""
        found = self._backend("ecr").repositories.get(repository)
        owner = self.account_id if account_id is None else account_id
        where = self.region if region is None else region
        arn = f"arn:aws:ecr:{where}:{owner}:repository/{repository}"
        policy = _document(found.policy) if found is not None else None
        return self.may(role_arn, TOKEN_ACTION, "*") and all(
            self.may(role_arn, action, arn, policy=policy) for action in PULL_ACTIONS
        )

    def may_publish(self, role_arn: str, topic_arn: str) -> bool:
        """Tell whether there is such a topic and the role may publish to it."""
        topic = self._backend("sns").topics.get(topic_arn)
        return topic is not None and self.may(
            role_arn, "sns:Publish", topic_arn, policy=_document(topic.policy)
        )

    def may_describe_alarm(self, role_arn: str, alarm_name: str) -> bool:
        """Tell whether the role may read the state of an alarm."""
        arn = f"arn:aws:cloudwatch:{self.region}:{self.account_id}:alarm:{alarm_name}"
        return self.may(role_arn, "cloudwatch:DescribeAlarms", arn)

    # ---- moto

    def _values(self, role: Any) -> dict[str, tuple[str, ...]]:
        tags = {
            f"aws:principaltag/{tag['Key']}".lower(): (tag["Value"],) for tag in role.tags or ()
        }
        return {
            "aws:principalarn": (role.arn,),
            "aws:principalaccount": (self.account_id,),
            "aws:resourceaccount": (self.account_id,),
            "s3:resourceaccount": (self.account_id,),
            "aws:principaltype": ("AssumedRole",),
            "aws:requestedregion": (self.region,),
            "aws:securetransport": ("true",),
            **tags,
        }

    def _identity_policies(self, role: Any) -> list[Document]:
        inline = [json.loads(text) for text in list(role.policies.values())]
        attached = (self._managed_policy(arn) for arn in list(role.managed_policies))
        return [*inline, *(document for document in attached if document is not None)]

    def _managed_policy(self, arn: str | None) -> Document | None:
        policy = self._backend("iam").managed_policies.get(arn)
        if policy is None:
            # A boundary that isn't there allows nothing; None would say there is no boundary.
            return {"Statement": []} if arn else None
        versions = [version for version in policy.versions if version.is_default]
        return _document(versions[0].document) if versions else None

    def _bucket(self, name: str) -> Any | None:
        return self._backend("s3").buckets.get(name)

    def _backend(self, service: str) -> Any:
        return backend(service, self.account_id, self.region)


def _default_key(bucket: Any) -> str | None:
    """Return the KMS key a bucket encrypts with by itself, unless that is S3's own."""
    rule = (bucket.encryption or {}).get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
    key: str | None = rule.get("KMSMasterKeyID") if rule.get("SSEAlgorithm") == "aws:kms" else None
    return key


def _document(text: Any) -> Document | None:
    if not text:
        return None
    document: Document = json.loads(text)
    return document
