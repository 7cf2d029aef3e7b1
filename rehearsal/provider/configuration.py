"""The provider's own configuration: region, default tags, and what it refuses.

Source: pulumi-aws provider configuration page; `CheckConfig`, `DiffConfig` and `Configure` of
pulumi-terraform-bridge, pkg/tfbridge/provider.go.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from rehearsal.provider.check import Failure
from rehearsal.provider.registry import Package
from rehearsal.provider.schema import read_schema
from rehearsal.provider.tagging import Tagging
from rehearsal.provider.value import UNKNOWN, Values

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
# What the engine adds to every provider's inputs.
ENGINE_KEYS = frozenset({"version", "__internal", "__defaults", "pluginDownloadURL"})
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a configured provider works with.

    Args:
        region: None when nothing says which
        tagging: default and ignored tags
        account_ids: the only accounts allowed; empty for any
    """

    region: str | None = None
    tagging: Tagging = field(default_factory=Tagging)
    account_ids: tuple[str, ...] = ()


def decoded(value: Any) -> Any:
    """A configuration value; the SDK sends all but texts as JSON text."""
    if (isinstance(value, str) and value[:1] in ("{", "[")) or value in ("true", "false"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def configuration_failures(package: Package, inputs: Values, cloud_url: str) -> list[Failure]:
    """What is wrong with a provider's inputs; what a rehearsal can't honour counts."""
    known = read_schema(package.configuration).inputs
    found: list[Failure] = []
    for name, value in inputs.items():
        if name in ENGINE_KEYS or value is None:
            continue
        if name not in known:
            reason = f"could not validate provider configuration: invalid or unknown key {name!r}"
            found.append(Failure(property=name, reason=reason))
        elif name not in package.configurable and decoded(value) not in (False, "", [], {}):
            allowed = ", ".join(sorted(package.configurable))
            reason = f"{name!r} is not supported in a rehearsal; supported: {allowed}"
            found.append(Failure(property=name, reason=reason))
    found += _wrong_endpoints(decoded(inputs.get("endpoints")), cloud_url)
    return found


def _wrong_endpoints(endpoints: Any, cloud_url: str) -> list[Failure]:
    """Endpoints may be given, but only the rehearsal's cloud is ever called."""
    groups = endpoints if isinstance(endpoints, list) else []
    port = urlsplit(cloud_url).port
    found: list[Failure] = []
    for group in groups:
        for service, url in group.items():
            if url in (None, UNKNOWN) or not isinstance(url, str):
                continue
            parts = urlsplit(url)
            if parts.hostname not in LOOPBACK or parts.port != port:
                reason = f"{service} is {url!r}; a rehearsal calls {cloud_url} only"
                found.append(Failure(property=f"endpoints.{service}", reason=reason))
    return found


def configuration_from(
    inputs: Values, environment: Mapping[str, str] = os.environ
) -> Configuration:
    """Read the inputs; the region falls back to the environment's, as the real provider's does."""
    region = decoded(inputs.get("region"))
    for variable in REGION_VARIABLES:
        if not region:
            region = environment.get(variable)
    defaults = _group(inputs, "defaultTags")
    ignored = _group(inputs, "ignoreTags")
    accounts = decoded(inputs.get("allowedAccountIds"))
    return Configuration(
        region=region if isinstance(region, str) and region else None,
        tagging=Tagging(
            defaults=defaults.get("tags", {}),
            ignored_keys=tuple(ignored.get("keys", ())),
            ignored_prefixes=tuple(ignored.get("keyPrefixes", ())),
        ),
        account_ids=tuple(accounts) if isinstance(accounts, list) else (),
    )


def _group(inputs: Values, name: str) -> dict[str, Any]:
    found = decoded(inputs.get(name))
    return found if isinstance(found, dict) else {}
