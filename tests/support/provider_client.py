"""A small engine for provider tests: calls the stand-in over gRPC as the real engines do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from rehearsal.provider.value import Values, struct_from_values, values_from_struct

SEED = bytes(range(32))
CALL_DEADLINE_SECONDS = 30


class FastClock:
    """A clock whose pauses take no time, so that a two-minute retry ends at once."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        # Ten seconds at least, so that an hour's wait is a few hundred polls.
        self.time += max(seconds, 10.0)
        time.sleep(0)


@dataclass(frozen=True, kw_only=True)
class Held:
    """A resource as an engine holds it in its state."""

    token: str
    name: str
    identifier: str
    inputs: Values
    outputs: Values


class CheckFailedError(Exception):
    """Check answered with failures; the first argument is {property: reason}."""


class Client:
    """Check, Diff and the rest for tests, by name of type and resource."""

    def __init__(self, port: int) -> None:
        # Channels to one address share a connection unless told otherwise.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def configure(self, **inputs: Any) -> None:
        args = struct_from_values({"region": "eu-west-1", **inputs})
        self.stub.Configure(provider_pb2.ConfigureRequest(args=args))

    def check(self, token: str, name: str, news: Values, olds: Values | None = None) -> Values:
        """The checked inputs; raises with the failures if there are any."""
        answer = self.stub.Check(
            provider_pb2.CheckRequest(
                urn=urn(token, name),
                news=struct_from_values(news),
                olds=struct_from_values(olds or {}),
                randomSeed=SEED,
            )
        )
        if answer.failures:
            raise CheckFailedError({item.property: item.reason for item in answer.failures})
        return values_from_struct(answer.inputs)

    def diff(self, held: Held, news: Values, ignore: tuple[str, ...] = ()) -> Any:
        return self.stub.Diff(
            provider_pb2.DiffRequest(
                id=held.identifier,
                urn=urn(held.token, held.name),
                olds=struct_from_values(held.outputs),
                old_inputs=struct_from_values(held.inputs),
                news=struct_from_values(news),
                ignoreChanges=list(ignore),
            )
        )

    def create(self, token: str, name: str, news: Values) -> Held:
        """Check, then Create."""
        inputs = self.check(token, name, news)
        answer = self.stub.Create(
            provider_pb2.CreateRequest(urn=urn(token, name), properties=struct_from_values(inputs)),
            timeout=CALL_DEADLINE_SECONDS,
        )
        return Held(
            token=token,
            name=name,
            identifier=answer.id,
            inputs=inputs,
            outputs=values_from_struct(answer.properties),
        )

    def preview_create(self, token: str, name: str, news: Values) -> Values:
        inputs = self.check(token, name, news)
        answer = self.stub.Create(
            provider_pb2.CreateRequest(
                urn=urn(token, name), properties=struct_from_values(inputs), preview=True
            )
        )
        return values_from_struct(answer.properties)

    def update(
        self, held: Held, news: Values, *, preview: bool = False, ignore: tuple[str, ...] = ()
    ) -> Held:
        """Check with the old inputs, then Update."""
        inputs = self.check(held.token, held.name, news, held.inputs)
        answer = self.stub.Update(
            provider_pb2.UpdateRequest(
                id=held.identifier,
                urn=urn(held.token, held.name),
                olds=struct_from_values(held.outputs),
                old_inputs=struct_from_values(held.inputs),
                news=struct_from_values(inputs),
                preview=preview,
                ignoreChanges=list(ignore),
            ),
            timeout=CALL_DEADLINE_SECONDS,
        )
        return Held(
            token=held.token,
            name=held.name,
            identifier=held.identifier,
            inputs=inputs,
            outputs=values_from_struct(answer.properties),
        )

    def refresh(self, held: Held) -> Held | None:
        """Read with what is held; None when it is gone."""
        answer = self.stub.Read(
            provider_pb2.ReadRequest(
                id=held.identifier,
                urn=urn(held.token, held.name),
                properties=struct_from_values(held.outputs),
                inputs=struct_from_values(held.inputs),
            )
        )
        return held_from_read(held.token, held.name, answer)

    def read(self, token: str, name: str, identifier: str) -> Held | None:
        """Read by id alone, as an import does."""
        answer = self.stub.Read(provider_pb2.ReadRequest(id=identifier, urn=urn(token, name)))
        return held_from_read(token, name, answer)

    def delete(self, held: Held) -> None:
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=held.identifier,
                urn=urn(held.token, held.name),
                properties=struct_from_values(held.outputs),
            ),
            timeout=CALL_DEADLINE_SECONDS,
        )

    def invoke(self, token: str, **arguments: Any) -> Values:
        answer = self.stub.Invoke(
            provider_pb2.InvokeRequest(tok=token, args=struct_from_values(arguments))
        )
        if answer.failures:
            raise CheckFailedError({item.property: item.reason for item in answer.failures})
        return values_from_struct(getattr(answer, "return"))


def held_from_read(token: str, name: str, answer: Any) -> Held | None:
    if not answer.id:
        return None
    return Held(
        token=token,
        name=name,
        identifier=answer.id,
        inputs=values_from_struct(answer.inputs),
        outputs=values_from_struct(answer.properties),
    )


def urn(token: str, name: str) -> str:
    """A resource's URN in the tests' stack."""
    return f"urn:pulumi:dev::greenlight::{token}::{name}"
