"""Whether policies let a role do something: IAM's evaluation within one account, pure.

Evaluated: identity policies, a permissions boundary and the resource's own policy, with
NotAction, NotResource, NotPrincipal, wildcards, variables and conditions. What a condition asks
and the rehearsal can't know is taken in favour of the role, so that a refusal here is one on AWS.
Never evaluated: service control policies, session policies, VPC endpoint policies.

Source: IAM User Guide, "Policy evaluation logic for requests within a single account", "IAM JSON
    policy elements reference"; KMS Developer Guide, "Default key policy"; read 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.identity.conditions import (
    Context,
    as_list,
    conditions_hold,
    matches,
    resolved,
)

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One thing a role wants to do."""

    action: str
    resource: str
    role_arn: str
    context: Context = field(default_factory=Context)

    @property
    def account_id(self) -> str:
        return self.role_arn.split(":")[4]


@dataclass(frozen=True, kw_only=True)
class Policies:
    """Every policy that bears on a request.

    Args:
        identity: the role's inline and attached policies
        boundary: the role's permissions boundary; None for a role without one
        resource: the resource's own policy; None for one without
        resource_decides: True for KMS keys, where the identity policies count only as far as the
            key's policy hands the decision to the account
    """

    identity: tuple[Document, ...]
    boundary: Document | None = None
    resource: Document | None = None
    resource_decides: bool = False


def is_allowed(request: Request, policies: Policies) -> bool:
    """Tell whether the role may do it."""
    resource = [] if policies.resource is None else _statements(policies.resource)
    boundary = [] if policies.boundary is None else _statements(policies.boundary)
    identity = [one for document in policies.identity for one in _statements(document)]
    named = [one for one in resource if _names_role(one, request)]
    of_account = [one for one in resource if _names_account(one, request)]
    every = [*identity, *boundary, *named, *of_account]
    if any(_applies(one, request, "Deny") for one in every):
        return False
    by_identity = any(_applies(one, request, "Allow") for one in identity)
    if policies.resource_decides:
        by_identity = by_identity and any(_applies(one, request, "Allow") for one in of_account)
    by_resource = any(_applies(one, request, "Allow") for one in named)
    within = policies.boundary is None or any(_applies(one, request, "Allow") for one in boundary)
    return (by_identity or by_resource) and within


def trusts(document: Document, service: str, context: Context) -> bool:
    """Tell whether a trust policy lets a service assume the role it belongs to."""
    request = Request(action="sts:AssumeRole", resource="*", role_arn=":" * 5, context=context)
    named = [
        one
        for one in _statements(document)
        if one.get("Principal") == "*" or service in _principals(one, "Service")
    ]
    if any(_applies(one, request, "Deny") for one in named):
        return False
    return any(_applies(one, request, "Allow") for one in named)


def _statements(document: Document) -> list[Document]:
    statements = document.get("Statement", [])
    return [statements] if isinstance(statements, Mapping) else list(statements)


def _applies(statement: Document, request: Request, effect: str) -> bool:
    if statement.get("Effect") != effect or not _names_action(statement, request.action):
        return False
    unknown_counts = effect == "Allow"
    about_resource = _names_resource(statement, request)
    holds = conditions_hold(statement.get("Condition", {}), request.context)
    return all(
        verdict or (verdict is None and unknown_counts) for verdict in (about_resource, holds)
    )


def _names_action(statement: Document, action: str) -> bool:
    if "NotAction" in statement:
        return not _matches_any(as_list(statement["NotAction"]), action, ignore_case=True)
    return _matches_any(as_list(statement.get("Action", [])), action, ignore_case=True)


def _names_resource(statement: Document, request: Request) -> bool | None:
    """Tell whether the statement is about the resource; None when a variable isn't known."""
    element = "NotResource" if "NotResource" in statement else "Resource"
    if element not in statement:
        # Trust policies, and repository policies, belong to the one resource they hang on.
        return True
    given = as_list(statement[element])
    known = [text for text in (resolved(text, request.context) for text in given) if text]
    found = _matches_any(known, request.resource)
    if not found and len(known) < len(given):
        return None
    return found != (element == "NotResource")


def _names_role(statement: Document, request: Request) -> bool:
    """Tell whether a resource's policy names the role itself, or everyone."""
    if "NotPrincipal" in statement:
        excluded = _principals({"Principal": statement["NotPrincipal"]}, "AWS")
        return request.role_arn not in excluded
    if statement.get("Principal") == "*":
        return True
    role_name = request.role_arn.rpartition("/")[2]
    session = f":sts::{request.account_id}:assumed-role/{role_name}/"
    return any(
        named in ("*", request.role_arn) or session in named
        for named in _principals(statement, "AWS")
    )


def _names_account(statement: Document, request: Request) -> bool:
    """Tell whether a resource's policy names the role's account, which IAM then decides for."""
    account = request.account_id
    return any(
        named == account or named.endswith(f":iam::{account}:root")
        for named in _principals(statement, "AWS")
    )


def _principals(statement: Document, kind: str) -> list[str]:
    principal = statement.get("Principal", {})
    return as_list(principal.get(kind, [])) if isinstance(principal, Mapping) else []


def _matches_any(patterns: Iterable[str], value: str, *, ignore_case: bool = False) -> bool:
    return any(matches(pattern, value, ignore_case=ignore_case) for pattern in patterns)
