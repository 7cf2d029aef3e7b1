"""A provider as the engine sees it: one gRPC connection, spoken to in engine values.

Secrets and references are unwrapped here for providers that do not understand them, and secrets are
put back on what they answer. Nothing here knows about state or steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from rehearsal.engine.diff import Diff
from rehearsal.engine.provider_errors import (
    DiffUnavailableError,
    ProviderError,
    init_failure,
    provider_error,
)
from rehearsal.engine.state import Resource
from rehearsal.engine.urn import name_of, type_of
from rehearsal.engine.values import (
    SIGNATURE_KEY,
    Secret,
    contains_secret,
    contains_unknown,
    encode,
    make_secret,
    struct_from_plain,
    unwrap_secrets,
    values_from_struct,
)

MESSAGE_LIMIT = 400 * 1024 * 1024
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.enable_http_proxy", 0),
)
_KINDS = ("add", "add-replace", "delete", "delete-replace", "update", "update-replace")

Values = dict[str, Any]
Failures = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a resource; with `reasons` it exists, but is not what it should be."""

    id: str = ""
    outputs: Values | None = None
    inputs: Values | None = None
    reasons: tuple[str, ...] = ()


class ProviderClient:
    """One configured connection to a provider."""

    def __init__(self, channel: Any, package: str, close: Callable[[], None]) -> None:
        self.package = package
        self.configurable = True
        self._stub = provider_pb2_grpc.ResourceProviderStub(channel)
        self._close = close
        self._shook_hands = False
        self._accept_secrets = False
        self._accept_resources = False
        self._supports_preview = True

    def handshake(self, engine: str, root: str | None, program: str | None) -> None:
        """Exchange what both sides can do; older providers tell it when they are configured."""
        request = provider_pb2.ProviderHandshakeRequest(
            engine_address=engine,
            root_directory=root,
            program_directory=program,
            configure_with_urn=True,
            invoke_with_preview=True,
        )
        try:
            answer = self._call("Handshake", request)
        except ProviderError as error:
            if not error.unimplemented:
                raise
            return
        self._shook_hands = True
        self._accept_secrets = answer.accept_secrets
        self._accept_resources = answer.accept_resources

    def check_config(self, urn: str, olds: Values, news: Values) -> tuple[Values, Failures]:
        """Have the provider check its own configuration."""
        olds_struct, news_struct = self._plain(olds), self._plain(news)
        request = _message(provider_pb2.CheckRequest, urn, olds=olds_struct, news=news_struct)
        try:
            answer = self._call("CheckConfig", request)
        except ProviderError as error:
            if not error.unimplemented:
                raise
            return dict(news), []
        inputs = values_from_struct(answer.inputs)
        _restore_secrets(inputs, news)
        return inputs, _failures(answer)

    def diff_config(self, urn: str, olds: Values, outputs: Values, news: Values) -> Diff | None:
        """Compare configurations; None when the provider doesn't say."""
        request = _message(
            provider_pb2.DiffRequest,
            urn,
            olds=self._plain(outputs),
            news=self._plain(news),
            old_inputs=self._plain(olds),
        )
        try:
            return _diff_from_answer(self._call("DiffConfig", request))
        except ProviderError as error:
            if not error.unimplemented:
                raise
            return None

    def configure(self, urn: str, identifier: str, inputs: Values) -> None:
        """Give the provider its configuration; with unknowns in it, it is left unconfigured."""
        self.configurable = not contains_unknown(inputs)
        if not self.configurable:
            return
        variables = {
            f"{self.package}:config:{key}": value if isinstance(value, str) else _json(value)
            for key, value in unwrap_secrets(inputs).items()
            if key != "version"
        }
        request = _message(
            provider_pb2.ConfigureRequest,
            urn,
            id=identifier,
            variables=variables,
            args=struct_from_plain(encode(inputs)),
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
        )
        answer = self._call("Configure", request)
        if not self._shook_hands:
            self._accept_secrets = answer.acceptSecrets
            self._accept_resources = answer.acceptResources
            self._supports_preview = answer.supportsPreview

    def check(
        self, urn: str, olds: Values, news: Values, random_seed: bytes
    ) -> tuple[Values, Failures]:
        """Have the provider complete and check the inputs of a resource."""
        if not self.configurable:
            return dict(news), []
        request = _message(
            provider_pb2.CheckRequest,
            urn,
            olds=self._struct(olds),
            news=self._struct(news),
            randomSeed=random_seed,
        )
        answer = self._call("Check", request)
        inputs = values_from_struct(answer.inputs)
        self._annotate(inputs, news)
        return inputs, _failures(answer)

    def diff(self, urn: str, old: Resource, news: Values, ignored: Sequence[str]) -> Diff | None:
        """Compare a resource with its new inputs; None when the provider doesn't know.

        Raises:
            DiffUnavailableError: the provider is not configured yet.
        """
        if not self.configurable:
            raise DiffUnavailableError(
                "The provider for this resource has inputs that are not known during preview.\n"
                "This preview may not correctly represent the changes that will be applied during "
                "an update."
            )
        request = _message(
            provider_pb2.DiffRequest,
            urn,
            id=old.id,
            olds=self._hashes(old.outputs),
            news=self._hashes(news),
            old_inputs=self._hashes(old.inputs),
            ignoreChanges=ignored,
        )
        return _diff_from_answer(self._call("Diff", request))

    def create(self, new: Resource, *, preview: bool) -> Answer:
        """Create a resource, or foresee what it would be."""
        if preview and not (self.configurable and self._supports_preview):
            return Answer(outputs=dict(new.inputs) if self.configurable else {})
        request = _message(
            provider_pb2.CreateRequest,
            new.urn,
            properties=self._struct(new.inputs),
            timeout=_timeout(new, "create"),
            preview=preview,
        )
        try:
            answer = self._attempt("Create", request, new.inputs)
        except ProviderError as error:
            # Nothing was there before, so the official engine sees nothing in doubt.
            error.status = 0
            raise
        if isinstance(answer, Answer):
            return answer
        if not answer.id and not preview:
            raise ProviderError("provider did not return an ID from Create")
        return Answer(id=answer.id, outputs=self._outputs(answer.properties, new.inputs))

    def update(
        self, old: Resource, new: Resource, ignored: Sequence[str], *, preview: bool
    ) -> Answer:
        """Change a resource in place, or foresee what it would be."""
        if preview and not (self.configurable and self._supports_preview):
            return Answer(id=old.id, outputs=dict(new.inputs) if self.configurable else {})
        request = _message(
            provider_pb2.UpdateRequest,
            new.urn,
            id=old.id,
            olds=self._hashes(old.outputs),
            news=self._struct(new.inputs),
            timeout=_timeout(new, "update"),
            ignoreChanges=ignored,
            preview=preview,
            old_inputs=self._hashes(old.inputs),
        )
        answer = self._attempt("Update", request, new.inputs)
        if isinstance(answer, Answer):
            return answer
        return Answer(id=old.id, outputs=self._outputs(answer.properties, new.inputs))

    def delete(self, old: Resource) -> None:
        """Delete a resource."""
        request = _message(
            provider_pb2.DeleteRequest,
            old.urn,
            id=old.id,
            properties=self._hashes(old.outputs),
            timeout=_timeout(old, "delete"),
            old_inputs=self._hashes(old.inputs),
        )
        self._call("Delete", request)

    def read(self, urn: str, identifier: str, inputs: Values, outputs: Values) -> Answer:
        """Look a resource up; an empty id in the answer says that there is none."""
        if not self.configurable:
            return Answer(id=identifier, outputs={})
        request = _message(
            provider_pb2.ReadRequest,
            urn,
            id=identifier,
            properties=self._hashes(outputs),
            inputs=self._hashes(inputs),
        )
        answer = self._attempt("Read", request, inputs)
        if isinstance(answer, Answer):
            return answer
        if not answer.id:
            return Answer()
        given = None
        if answer.HasField("inputs"):
            given = values_from_struct(answer.inputs)
            self._annotate(given, inputs)
        return Answer(id=answer.id, outputs=self._outputs(answer.properties, outputs), inputs=given)

    def invoke(self, token: str, arguments: Values, *, preview: bool) -> tuple[Values, Failures]:
        """Call a function."""
        request = provider_pb2.InvokeRequest(
            tok=token, args=self._struct(arguments), preview=preview
        )
        answer = self._call("Invoke", request)
        return values_from_struct(getattr(answer, "return")), _failures(answer)

    def cancel(self) -> None:
        """Ask the provider to give up what it is doing."""
        from google.protobuf.empty_pb2 import Empty

        try:
            self._stub.Cancel(Empty(), timeout=5)
        except grpc.RpcError:
            return  # A provider that can't cancel, or is gone, has nothing to give up.

    def close(self) -> None:
        """End the connection, and the process if it was started for it."""
        self._close()

    def _struct(self, values: Values, *, content: bool = True) -> Any:
        kept = values if self._accept_secrets else unwrap_secrets(values)
        plain = encode(kept, keep_references=self._accept_resources, asset_content=content)
        return struct_from_plain(plain)

    def _hashes(self, values: Values) -> Any:
        return self._struct(values, content=False)

    def _plain(self, values: Values) -> Any:
        return struct_from_plain(
            encode(unwrap_secrets(values), keep_references=self._accept_resources)
        )

    def _outputs(self, struct: Any, inputs: Values) -> Values:
        outputs = values_from_struct(struct)
        self._annotate(outputs, inputs)
        return outputs

    def _annotate(self, outputs: Values, inputs: Values) -> None:
        if not self._accept_secrets:
            _restore_secrets(outputs, inputs)

    def _attempt(self, method: str, request: Any, inputs: Values) -> Any:
        """Call, and turn a failed initialisation into an answer: the resource is there."""
        try:
            return getattr(self._stub, method)(request)
        except grpc.RpcError as error:
            detail = init_failure(error)
            if detail is None:
                raise provider_error(error) from error
            given = values_from_struct(detail.inputs) if detail.HasField("inputs") else None
            return Answer(
                id=detail.id,
                outputs=self._outputs(detail.properties, inputs),
                inputs=given,
                reasons=tuple(detail.reasons) or (str(error.details()),),
            )

    def _call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self._stub, method)(request)
        except grpc.RpcError as error:
            raise provider_error(error) from error


def _message(kind: Any, urn: str, **fields: Any) -> Any:
    return kind(urn=urn, name=name_of(urn), type=type_of(urn), **fields)


def _failures(answer: Any) -> Failures:
    return [(failure.property, failure.reason) for failure in answer.failures]


def _timeout(state: Resource, kind: str) -> float:
    return (state.custom_timeouts or {}).get(kind, 0)


def _json(value: Any) -> str:
    return json.dumps(encode(value), separators=(",", ":"), sort_keys=True)


def _diff_from_answer(answer: Any) -> Diff | None:
    detailed = None
    if answer.hasDetailedDiff:
        detailed = {
            path: (_KINDS[item.kind] if item.kind < len(_KINDS) else "update", item.inputDiff)
            for path, item in answer.detailedDiff.items()
        }
    replaces = bool(answer.replaces) or any(
        kind.endswith("-replace") for kind, _ in (detailed or {}).values()
    )
    if answer.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN and not replaces:
        return None
    return Diff(
        changed=answer.changes != provider_pb2.DiffResponse.DIFF_NONE,
        replace_keys=tuple(answer.replaces),
        changed_keys=tuple(answer.diffs),
        detailed=detailed,
        delete_before_replace=answer.deleteBeforeReplace,
    )


def _restore_secrets(outputs: Any, inputs: Mapping[str, Any]) -> None:
    """Hide in a provider's answer what was secret in its question, by key."""
    for key, given in inputs.items():
        if key == SIGNATURE_KEY or key not in outputs:
            continue
        answered = outputs[key]
        if isinstance(answered, dict) and isinstance(given, dict):
            _restore_secrets(answered, given)
        elif not isinstance(answered, Secret) and contains_secret(given):
            outputs[key] = make_secret(answered)
