"""What a resource type declares: its properties' rules and the calls that make it real.

A type is one `ResourceType` in `types/`; the machinery (check, diff, life cycle) knows no service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rehearsal.provider.schema import SchemaSource
from rehearsal.provider.value import Values

if TYPE_CHECKING:
    from rehearsal.provider.aws import Aws


class ProviderError(Exception):
    """A request the stand-in understood and can't or may not fulfil."""


class Unfinished(ProviderError):
    """The resource exists, but something after its creation failed.

    Args:
        identifier: the id under which it exists
    """

    def __init__(self, identifier: str, reason: str) -> None:
        super().__init__(reason)
        self.identifier = identifier


@dataclass(frozen=True, kw_only=True)
class Autoname:
    """How a name is made when the program gives none.

    Args:
        property: wire name of the property, e.g. `bucket`
        maximum_length: the logical name is cut so that name, hyphen and 7 hex digits fit
        lower_case: the service refuses capitals
        random: False for a property that is just the logical name
    """

    property: str = "name"
    maximum_length: int = 255
    lower_case: bool = False
    random: bool = True


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the real provider refuses at preview, before any call.

    Args:
        minimum: lowest number, or shortest text
        maximum: highest number, or longest text
        choices: the only values allowed
        shape: a pair (service, shape) that names a botocore enumeration, instead
        pattern: regular expression the whole text must match
    """

    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str | int, ...] = ()
    shape: tuple[str, str] | None = None
    pattern: str | None = None


@dataclass(frozen=True, kw_only=True)
class Created:
    """A new resource whose creation told what no later read can.

    Args:
        learned: outputs by wire name
    """

    identifier: str
    learned: Values


@dataclass(frozen=True, kw_only=True)
class Change:
    """An update: what was, what shall be, and the top-level properties that differ."""

    identifier: str
    old: Values
    new: Values
    properties: frozenset[str]

    def touches(self, *names: str) -> bool:
        """True when one of these properties differs."""
        return not self.properties.isdisjoint(names)


class Operations(Protocol):
    """The calls behind a type. `values` never hold unknowns nor `__defaults`."""

    def create(self, aws: Aws, values: Values) -> str | Created:
        """Make it; returns its id. Raises `Unfinished` once it exists."""

    def read(self, aws: Aws, identifier: str, known: Values) -> Values | None:
        """Everything AWS says of it, by wire name; None when it is gone.

        Args:
            known: the last known properties (after a create or update the inputs and what was
                learned), or none at an import
        """

    def update(self, aws: Aws, change: Change) -> Values | None:
        """Bring it to `change.new` in place; returns what it learned, if anything."""

    def delete(self, aws: Aws, identifier: str, known: Values) -> None:
        """Take it away; it being gone already is success."""


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """One resource type of the stand-in.

    Args:
        token: e.g. `aws:s3/bucket:Bucket`
        title: the AWS noun in the real provider's messages, e.g. `S3 Bucket`
        source: page of the provider's documentation or its source file
        replaces: property paths (no indexes) whose change replaces; `*` = all that `updates` lacks
        updates: with `*` in `replaces`, the ones that update in place all the same
        computed: optional inputs that the service fills in; leaving them out is no difference
        defaults: property path -> value filled in by Check when absent and its parent is given
        sets: paths of arrays whose order means nothing
        documents: paths of JSON texts, compared as JSON
        unsupported: inputs the stand-in refuses by name, with the reason
        recomputed: outputs that any content update may change
        delete_before_replace: the real one can't have both at once
        state_only: inputs that no call ever answers; a refresh keeps them
        silent: paths of inputs whose changes are no difference
        echoes_inputs: outputs hold all inputs, as a bridged provider's do
        taggable: has `tags` and `tagsAll`
        regional: has `region`
        prepare: what else the real provider's Check does to complete inputs (docker's digest)
    """

    token: str
    title: str
    source: str
    schema: SchemaSource
    operations: Operations
    autoname: Autoname | None = None
    replaces: frozenset[str] = frozenset()
    updates: frozenset[str] = frozenset()
    computed: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    sets: frozenset[str] = frozenset()
    documents: frozenset[str] = frozenset()
    unsupported: Mapping[str, str] = field(default_factory=dict)
    recomputed: frozenset[str] = frozenset()
    delete_before_replace: bool = False
    state_only: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    echoes_inputs: bool = True
    taggable: bool = True
    regional: bool = True
    prepare: Callable[[Values], Values] | None = None

    def is_replacing(self, path: str) -> bool:
        """True when a change at this index-free path replaces the resource."""
        if "*" in self.replaces:
            return path.split(".")[0] not in self.updates | {"tagsAll"}
        return any(path == item or path.startswith(item + ".") for item in self.replaces)


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One invoke (a data source): its arguments, and what answers it."""

    token: str
    source: str
    arguments: frozenset[str]
    call: Callable[[Aws, Values], Values]
