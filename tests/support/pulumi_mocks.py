"""Records what a program registers with Pulumi, through Pulumi's own mocks.

What it can't prove: that a provider accepts the inputs, and the order of real operations.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks

ACCOUNT = "123456789012"
INVOKES: dict[str, dict[str, Any]] = {
    "aws:index/getRegion:getRegion": {"region": "eu-west-1", "id": "eu-west-1"},
    "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT, "id": "1"},
    "aws:index/getPartition:getPartition": {"partition": "aws", "id": "aws"},
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": {
        "userName": "AWS",
        "password": "token",
        "id": "1",
    },
}


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource as the program registered it.

    Args:
        inputs: as the provider would get them, in its own spelling.
        parent: logical name of the parent; empty for the stack's own children.
        depends_on: logical names of everything the resource waits for.
    """

    type_token: str
    name: str
    inputs: dict[str, Any]
    parent: str
    depends_on: frozenset[str]
    ignore_changes: tuple[str, ...]
    is_retained: bool


@dataclass(kw_only=True)
class Provider(mocks.Mocks):
    """Answers registrations with the outputs that providers compute."""

    stack_outputs: dict[str, Any] = field(default_factory=dict)
    inputs_by_key: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Keep the inputs, and give names and ARNs."""
        self.inputs_by_key[args.typ, args.name] = dict(args.inputs)
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {**args.inputs, "outputs": self.stack_outputs}
        physical = f"{args.name}-1a2b3c4"
        computed = {
            "name": physical,
            "bucket": physical,
            "arn": f"arn:aws:mock:::{physical}",
            "repositoryUrl": f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/{physical}",
            "registryId": ACCOUNT,
            "verdict": "promoted",
        }
        return physical, {**computed, **args.inputs}

    def call(self, args: mocks.MockCallArgs) -> Any:
        """The usual answer of an invoke."""
        return INVOKES[args.token]


class RecordingMonitor(mocks.MockMonitor):
    """Pulumi's mock monitor, keeping also the options of each registration."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.requests: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:
        """Keep the request as it came over the wire."""
        if request.type != "pulumi:pulumi:Stack":
            self.requests.append(request)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Everything a program registered and exported."""

    registrations: tuple[Registration, ...]
    exports: dict[str, Any]

    def only(self, type_token: str) -> Registration:
        """The one registration of a type."""
        (found,) = self.all(type_token)
        return found

    def all(self, type_token: str) -> list[Registration]:
        """Every registration of a type."""
        return [entry for entry in self.registrations if entry.type_token == type_token]

    def tree(self) -> set[tuple[str, str, str]]:
        """Type, name and parent of everything."""
        return {(entry.type_token, entry.name, entry.parent) for entry in self.registrations}


def record(
    program: Callable[[], Any],
    *,
    stack_name: str = "dev",
    stack_outputs: dict[str, Any] | None = None,
) -> Recording:
    """Run a program to its end, every registration awaited.

    Args:
        program: declares resources; a mapping it returns counts as its exports.
        stack_outputs: the exports of any stack it refers to.
    """
    _ensure_event_loop()
    provider = Provider(stack_outputs={} if stack_outputs is None else stack_outputs)
    monitor = RecordingMonitor(provider)
    mocks.set_mocks(provider, project="greenlight", stack=stack_name, monitor=monitor)
    exports: dict[str, Any] = {}

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def body() -> pulumi.Output[None]:
        values = program()
        return pulumi.Output.from_input({} if values is None else values).apply(exports.update)

    body()
    return Recording(
        registrations=tuple(_registration(request, provider) for request in monitor.requests),
        exports=exports,
    )


def _ensure_event_loop() -> None:
    """Give Pulumi the event loop it expects; whoever ran asyncio before may have left none."""
    try:
        asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())


def _registration(request: Any, provider: Provider) -> Registration:
    return Registration(
        type_token=request.type,
        name=request.name,
        inputs=provider.inputs_by_key[request.type, request.name],
        parent=_name_of(request.parent),
        depends_on=frozenset(_name_of(urn) for urn in request.dependencies),
        ignore_changes=tuple(request.ignoreChanges),
        is_retained=request.retainOnDelete,
    )


def _name_of(urn: str) -> str:
    return "" if "pulumi:pulumi:Stack::" in urn else urn.rpartition("::")[2]
