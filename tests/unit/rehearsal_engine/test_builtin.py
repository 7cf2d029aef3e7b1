"""Stack references, and the functions that are refused."""

from __future__ import annotations

import pytest

from rehearsal.engine.builtin import BuiltinProvider
from rehearsal.engine.errors import EngineError
from rehearsal.engine.provider_errors import ProviderError
from rehearsal.engine.state import Deployment, Resource
from rehearsal.engine.urn import STACK_TYPE
from rehearsal.engine.values import Secret

URN = "urn:pulumi:dev::p::pulumi:pulumi:StackReference::base"


def a_builtin(*, resources: list[Resource], asked: list[str]) -> BuiltinProvider:
    def read_stack(name: str) -> Deployment | None:
        asked.append(name)
        return None if name.endswith("/gone") else Deployment(resources=resources)

    return BuiltinProvider("organization", "p", read_stack)


def a_stack(**outputs: object) -> Resource:
    urn = f"urn:pulumi:base::p::{STACK_TYPE}::p-base"
    return Resource(urn=urn, type=STACK_TYPE, custom=False, outputs=dict(outputs))


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("base", "organization/p/base"),
        ("organization/base", "organization/p/base"),
        ("organization/other/base", "organization/other/base"),
    ],
)
def test_a_stack_may_be_named_in_three_ways(name: str, full: str) -> None:
    asked: list[str] = []
    builtin = a_builtin(resources=[a_stack()], asked=asked)

    builtin.read(URN, name, {"name": name}, {})

    assert asked == [full]


def test_outputs_are_told_and_the_secret_ones_are_named() -> None:
    builtin = a_builtin(resources=[a_stack(b=Secret(1), a={"x": [Secret(2)]}, c=3)], asked=[])

    answer = builtin.read(URN, "base", {"name": "base"}, {})

    assert answer.outputs == {
        "name": "base",
        "outputs": {"b": Secret(1), "a": {"x": [Secret(2)]}, "c": 3},
        "secretOutputNames": ["a", "b"],
    }


@pytest.mark.parametrize("name", ["gone", "a/b/c/d", "a//b"])
def test_a_stack_that_is_not_there_is_named(name: str) -> None:
    builtin = a_builtin(resources=[], asked=[])

    with pytest.raises(ProviderError, match=f'stack.* "{name}"'):
        builtin.read(URN, name, {"name": name}, {})


@pytest.mark.parametrize("token", ["pulumi:pulumi:getResource", "pulumi:pulumi:readStackOutputs"])
def test_every_function_is_refused_by_name(token: str) -> None:
    with pytest.raises(EngineError, match=rf"the function {token} is not supported"):
        a_builtin(resources=[], asked=[]).invoke(token, {}, preview=False)
