"""IAM roles and their inline policies.

Source: hashicorp/terraform-provider-aws internal/service/iam/{role,role_policy}.go.
"""

from __future__ import annotations

import json
from typing import Any

from rehearsal.provider.aws import Aws, AwsError
from rehearsal.provider.entry import Autoname, Change, ProviderError, ResourceType, Rule
from rehearsal.provider.schema import SchemaSource
from rehearsal.provider.tags import IAM_ROLE, tag_list, tag_map, update_tags
from rehearsal.provider.value import Values

PACKAGE = "pulumi_aws.iam"
PROPAGATION_SECONDS = 120
GONE = ("NoSuchEntity",)


def _is_principal_unknown(err: AwsError) -> bool:
    return err.code == "MalformedPolicyDocument" and "Invalid principal" in err.message


class RoleOperations:
    """A role; policies are attached by resources of their own or by `managedPolicyArns`."""

    def create(self, aws: Aws, values: Values) -> str:
        name: str = values["name"]
        aws.retry(
            PROPAGATION_SECONDS,
            lambda: aws.call(
                "iam",
                "CreateRole",
                RoleName=name,
                Path=values["path"],
                AssumeRolePolicyDocument=values["assumeRolePolicy"],
                Description=values.get("description"),
                MaxSessionDuration=values["maxSessionDuration"],
                PermissionsBoundary=values.get("permissionsBoundary"),
                Tags=tag_list(values.get("tags")),
            ),
            _is_principal_unknown,
        )
        for arn in values.get("managedPolicyArns", []):
            aws.call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=arn)
        return name

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        try:
            role = aws.call("iam", "GetRole", RoleName=identifier)["Role"]
        except AwsError as err:
            if err.code in GONE:
                return None
            raise
        tags = tag_map(role.get("Tags", []), IAM_ROLE)
        return {
            "name": role["RoleName"],
            "arn": role["Arn"],
            "path": role["Path"],
            "uniqueId": role["RoleId"],
            "createDate": role["CreateDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            "assumeRolePolicy": document_text(role["AssumeRolePolicyDocument"]),
            "description": role.get("Description", ""),
            "maxSessionDuration": role.get("MaxSessionDuration", 3600),
            "permissionsBoundary": role.get("PermissionsBoundary", {}).get(
                "PermissionsBoundaryArn", ""
            ),
            "managedPolicyArns": self._attached(aws, identifier),
            "tags": tags,
            "tagsAll": tags,
        }

    def update(self, aws: Aws, change: Change) -> None:
        name, new = change.identifier, change.new
        if change.touches("assumeRolePolicy"):
            policy = new["assumeRolePolicy"]
            aws.retry(
                PROPAGATION_SECONDS,
                lambda: aws.call(
                    "iam", "UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=policy
                ),
                _is_principal_unknown,
            )
        if change.touches("description", "maxSessionDuration"):
            description, duration = new.get("description", ""), new["maxSessionDuration"]
            aws.call(
                "iam",
                "UpdateRole",
                RoleName=name,
                Description=description,
                MaxSessionDuration=duration,
            )
        if change.touches("permissionsBoundary"):
            self._update_boundary(aws, name, new.get("permissionsBoundary"))
        if change.touches("managedPolicyArns"):
            self._update_attached(aws, name, set(new.get("managedPolicyArns", [])))
        update_tags(aws, IAM_ROLE, name, change)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        try:
            if known.get("forceDetachPolicies") or known.get("managedPolicyArns"):
                self._update_attached(aws, identifier, set())
            if known.get("forceDetachPolicies"):
                for name in aws.call("iam", "ListRolePolicies", RoleName=identifier)["PolicyNames"]:
                    aws.call("iam", "DeleteRolePolicy", RoleName=identifier, PolicyName=name)
            aws.call("iam", "DeleteRole", RoleName=identifier)
        except AwsError as err:
            if err.code not in GONE:
                raise

    def _attached(self, aws: Aws, role: str) -> list[str]:
        answer = aws.call("iam", "ListAttachedRolePolicies", RoleName=role)
        return sorted(policy["PolicyArn"] for policy in answer["AttachedPolicies"])

    def _update_attached(self, aws: Aws, role: str, wanted: set[str]) -> None:
        attached = set(self._attached(aws, role))
        for arn in sorted(attached - wanted):
            aws.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)
        for arn in sorted(wanted - attached):
            aws.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)

    def _update_boundary(self, aws: Aws, role: str, boundary: str | None) -> None:
        if boundary:
            aws.call(
                "iam",
                "PutRolePermissionsBoundary",
                RoleName=role,
                PermissionsBoundary=boundary,
            )
        else:
            aws.call("iam", "DeleteRolePermissionsBoundary", RoleName=role)


def document_text(document: Any) -> str:
    """A policy as one JSON text; botocore has already parsed it."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))


class RolePolicyOperations:
    """An inline policy; its id is `role:name`."""

    def create(self, aws: Aws, values: Values) -> str:
        self._put(aws, values)
        return f"{values['role']}:{values['name']}"

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        role, name = self._address(identifier)
        try:
            found = aws.call("iam", "GetRolePolicy", RoleName=role, PolicyName=name)
        except AwsError as err:
            if err.code in GONE:
                return None
            raise
        return {"role": role, "name": name, "policy": document_text(found["PolicyDocument"])}

    def update(self, aws: Aws, change: Change) -> None:
        self._put(aws, change.new)

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        role, name = self._address(identifier)
        try:
            aws.call("iam", "DeleteRolePolicy", RoleName=role, PolicyName=name)
        except AwsError as err:
            if err.code not in GONE:
                raise

    def _put(self, aws: Aws, values: Values) -> None:
        aws.call(
            "iam",
            "PutRolePolicy",
            RoleName=values["role"],
            PolicyName=values["name"],
            PolicyDocument=values["policy"],
        )

    def _address(self, identifier: str) -> tuple[str, str]:
        role, _, name = identifier.partition(":")
        if not role or not name:
            raise ProviderError(f"id {identifier!r} is no inline policy; allowed: role:name")
        return role, name


TYPES = (
    ResourceType(
        token="aws:iam/role:Role",
        title="IAM Role",
        source="terraform-provider-aws internal/service/iam/role.go",
        schema=SchemaSource(package=PACKAGE, resource="Role", arguments="RoleArgs"),
        operations=RoleOperations(),
        autoname=Autoname(maximum_length=64),
        replaces=frozenset({"name", "namePrefix", "path"}),
        defaults={"forceDetachPolicies": False, "maxSessionDuration": 3600, "path": "/"},
        computed=frozenset({"managedPolicyArns", "inlinePolicies"}),
        state_only=frozenset({"forceDetachPolicies"}),
        rules={
            "name": Rule(minimum=1, maximum=64, pattern=r"[0-9A-Za-z_+=,.@-]+"),
            "maxSessionDuration": Rule(minimum=3600, maximum=43200),
        },
        sets=frozenset({"managedPolicyArns"}),
        documents=frozenset({"assumeRolePolicy"}),
        unsupported={
            "inlinePolicies": "declare the separate resource aws.iam.RolePolicy instead",
            "namePrefix": "give the role a name, or none for an automatic one",
        },
        regional=False,
    ),
    ResourceType(
        token="aws:iam/rolePolicy:RolePolicy",
        title="IAM Role Policy",
        source="terraform-provider-aws internal/service/iam/role_policy.go",
        schema=SchemaSource(package=PACKAGE, resource="RolePolicy", arguments="RolePolicyArgs"),
        operations=RolePolicyOperations(),
        autoname=Autoname(maximum_length=128),
        replaces=frozenset({"name", "namePrefix", "role"}),
        documents=frozenset({"policy"}),
        unsupported={"namePrefix": "give the policy a name, or none for an automatic one"},
        taggable=False,
        regional=False,
    ),
)
