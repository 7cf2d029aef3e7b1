"""URNs: the names by which state, program and engine know a resource."""

from __future__ import annotations

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"


def make_urn(stack: str, project: str, parent: str, type_token: str, name: str) -> str:
    """Make a URN; a parent that is the stack (or nothing) leaves no trace in the qualified type."""
    qualified = type_token
    if parent and qualified_type(parent) != STACK_TYPE:
        qualified = f"{qualified_type(parent)}${type_token}"
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def qualified_type(urn: str) -> str:
    """Return the type with the types of all ancestors but the stack before it."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """Return the resource's own type."""
    return qualified_type(urn).rsplit("$", 1)[-1]


def name_of(urn: str) -> str:
    """Return the logical name, which may itself hold `::`."""
    return urn.split("::", 3)[3]


def is_stack(urn: str) -> bool:
    """Say whether the URN is that of a stack."""
    return qualified_type(urn) == STACK_TYPE


def is_provider(urn_or_type: str) -> bool:
    """Say whether a URN or type token is a provider's."""
    token = type_of(urn_or_type) if urn_or_type.startswith("urn:") else urn_or_type
    return token.startswith(PROVIDER_PREFIX)


def is_default_provider(urn: str) -> bool:
    """Say whether the URN is that of a provider the engine made by itself."""
    return is_provider(urn) and (name_of(urn) == "default" or name_of(urn).startswith("default_"))


def package_of(token: str) -> str:
    """Return the package of a type or function token; of a provider type, the package it
    provides."""
    if token.startswith(PROVIDER_PREFIX):
        return token.removeprefix(PROVIDER_PREFIX)
    return token.split(":", 1)[0]


def parse_reference(reference: str) -> tuple[str, str]:
    """Split a provider reference `URN::ID` into both; ("", "") for none."""
    urn, _, identifier = reference.rpartition("::")
    return urn, identifier
