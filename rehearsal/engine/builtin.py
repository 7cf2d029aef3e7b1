"""The provider of package `pulumi`, which lives in the engine: stack references and looking
resources up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.engine.provider_client import Answer, Failures, Values
from rehearsal.engine.provider_errors import ProviderError
from rehearsal.engine.state import Deployment, Resource
from rehearsal.engine.urn import STACK_TYPE
from rehearsal.engine.values import contains_secret, unwrap_secrets

STACK_REFERENCE = "pulumi:pulumi:StackReference"
GET_RESOURCE = "pulumi:pulumi:getResource"
READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"


class BuiltinProvider:
    """Reads other stacks through `read_stack` and this run's resources through `find`."""

    configurable = True

    def __init__(
        self,
        *,
        organization: str,
        project: str,
        read_stack: Callable[[str], Deployment | None],
        find: Callable[[str], Resource | None],
    ) -> None:
        self._organization, self._project = organization, project
        self._read_stack, self._find = read_stack, find

    def read(self, urn: str, identifier: str, inputs: Values, outputs: Values) -> Answer:
        """Read a stack reference, the only resource of this provider."""
        if f"::{STACK_REFERENCE}::" not in urn and f"${STACK_REFERENCE}::" not in urn:
            raise ProviderError(
                f"resource type of {urn!r} is unknown to the built-in provider; it knows "
                f"{STACK_REFERENCE}"
            )
        name = str(unwrap_secrets(inputs.get("name", identifier)))
        found, secret = self._outputs(name)
        given = {"name": inputs.get("name", identifier)}
        state = {**given, "outputs": found, "secretOutputNames": secret}
        return Answer(id=identifier, outputs=state, inputs=given)

    def invoke(self, token: str, arguments: Values, *, preview: bool) -> tuple[Values, Failures]:
        """Answer `getResource` and `readStackOutputs`."""
        if token == READ_OUTPUTS:
            name = str(unwrap_secrets(arguments["name"]))
            found, secret = self._outputs(name)
            return {"name": name, "outputs": found, "secretOutputNames": secret}, []
        if token != GET_RESOURCE:
            raise ProviderError(
                f"unrecognized function {token!r}; the built-in provider knows {GET_RESOURCE} and "
                f"{READ_OUTPUTS}"
            )
        urn = str(unwrap_secrets(arguments["urn"]))
        state = self._find(urn)
        if state is None:
            raise ProviderError(f"unknown resource {urn}")
        return {"urn": urn, "id": state.id, "provider": state.provider, "state": state.outputs}, []

    def _outputs(self, name: str) -> tuple[dict[str, Any], list[str]]:
        deployment = self._read_stack(self._full_name(name))
        if deployment is None:
            raise ProviderError(f'unknown stack "{name}"', 2)
        for resource in deployment.resources:
            if resource.type == STACK_TYPE and not resource.delete:
                outputs = dict(resource.outputs)
                return outputs, sorted(k for k, v in outputs.items() if contains_secret(v))
        return {}, []

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
