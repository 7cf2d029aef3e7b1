"""The classes of scenario programs; copied beside each, so this imports `pulumi` alone."""

from __future__ import annotations

from typing import Any

import pulumi

# Outputs that the provider may add; a name listed here becomes an attribute of the resource.
COMPUTED = ("name", "serial", "shout", "credential")


class Thing(pulumi.CustomResource):
    """A resource of the test provider with any properties."""

    def __init__(
        self,
        name: str,
        opts: pulumi.ResourceOptions | None = None,
        kind: str = "test:index:Thing",
        **properties: Any,
    ) -> None:
        super().__init__(kind, name, dict.fromkeys(COMPUTED) | properties, opts)


class Region(pulumi.ProviderResource):
    """An explicit provider of the test package."""

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, **properties: Any
    ) -> None:
        super().__init__("test", name, properties, opts)


class Group(pulumi.ComponentResource):
    """A component that holds things."""

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, kind: str = "my:index:Group"
    ) -> None:
        super().__init__(kind, name, None, opts)
