"""The provider of package `pulumi`, which lives in the engine: references to other stacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.engine.errors import not_supported
from rehearsal.engine.provider_client import Answer, Failures, Values
from rehearsal.engine.provider_errors import ProviderError
from rehearsal.engine.state import Deployment
from rehearsal.engine.urn import STACK_TYPE, type_of
from rehearsal.engine.values import contains_secret, unwrap_secrets

STACK_REFERENCE = "pulumi:pulumi:StackReference"


class BuiltinProvider:
    """Reads other stacks by their full name through `read_stack`."""

    configurable = True

    def __init__(
        self, organization: str, project: str, read_stack: Callable[[str], Deployment | None]
    ) -> None:
        self._organization, self._project = organization, project
        self._read_stack = read_stack

    def read(self, urn: str, identifier: str, inputs: Values, outputs: Values) -> Answer:
        """Read a stack reference, the only resource of this provider."""
        if type_of(urn) != STACK_REFERENCE:
            raise ProviderError(
                f"resource type of {urn!r} is unknown to the built-in provider; it knows "
                f"{STACK_REFERENCE}"
            )
        given = {"name": inputs.get("name", identifier)}
        found = self._outputs(str(unwrap_secrets(given["name"])))
        secret = sorted(key for key, value in found.items() if contains_secret(value))
        state = {**given, "outputs": found, "secretOutputNames": secret}
        return Answer(id=identifier, outputs=state, inputs=given)

    def invoke(self, token: str, arguments: Values, *, preview: bool) -> tuple[Values, Failures]:
        """Refuse every function of this package."""
        raise not_supported(f"the function {token}")

    def _outputs(self, name: str) -> dict[str, Any]:
        deployment = self._read_stack(self._full_name(name))
        if deployment is None:
            raise ProviderError(f'unknown stack "{name}"', 2)
        for resource in deployment.resources:
            if resource.type == STACK_TYPE and not resource.delete:
                return dict(resource.outputs)
        return {}

    def _full_name(self, name: str) -> str:
        parts = name.split("/")
        if len(parts) == 1:
            parts = [self._organization, self._project, *parts]
        elif len(parts) == 2:
            parts = [parts[0], self._project, parts[1]]
        if len(parts) != 3 or not all(parts):
            raise ProviderError(
                f'could not parse stack name "{name}"; give STACK, ORGANIZATION/STACK or '
                "ORGANIZATION/PROJECT/STACK"
            )
        return "/".join(parts)
