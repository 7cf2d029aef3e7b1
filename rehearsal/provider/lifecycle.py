"""What happens to a resource of any type: create, read, update, delete, and their previews.

Knows no service and no wire; a type's operations make the calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rehearsal.provider.aws import Aws
from rehearsal.provider.diff import TAGS, Difference, diff, shaped_like
from rehearsal.provider.entry import Change, Created, ProviderError, ResourceType, Unfinished
from rehearsal.provider.schema import Schema, read_schema
from rehearsal.provider.tagging import as_told
from rehearsal.provider.value import DEFAULTS_KEY, UNKNOWN, Values, is_zero, without_defaults


class PartialError(ProviderError):
    """The resource exists, in a state that is not the wanted one.

    Args:
        identifier: its id
        properties: its outputs as far as they are known
    """

    def __init__(self, identifier: str, properties: Values, reason: str) -> None:
        super().__init__(reason)
        self.identifier = identifier
        self.properties = properties


@dataclass(frozen=True, kw_only=True)
class Found:
    """A resource as it is: its outputs, and the inputs that would make it."""

    identifier: str
    outputs: Values
    inputs: Values


def create(entry: ResourceType, aws: Aws, inputs: Values) -> Found:
    """Make the resource.

    Raises:
        ProviderError: nothing was made (or, as with a failed endpoint, nothing the state may know)
        PartialError: it was made, and something after that failed
    """
    values = without_defaults(inputs)
    try:
        answer = entry.operations.create(aws, as_told(values))
    except Unfinished as err:
        raise PartialError(err.identifier, _outputs(entry, aws, values, {}), str(err)) from err
    made = answer if isinstance(answer, Created) else Created(identifier=answer, learned={})
    known = {**as_told(values), **made.learned}
    try:
        read = entry.operations.read(aws, made.identifier, known)
    except ProviderError as err:
        outputs = _outputs(entry, aws, values, made.learned)
        raise PartialError(made.identifier, outputs, f"reading {entry.title}: {err}") from err
    if read is None:
        reason = f"reading {entry.title} ({made.identifier}): it is gone right after its creation"
        raise PartialError(made.identifier, _outputs(entry, aws, values, made.learned), reason)
    outputs = _outputs(entry, aws, values, _split_tags(entry, aws, read, values))
    return Found(identifier=made.identifier, outputs=outputs, inputs=inputs)


def _outputs(entry: ResourceType, aws: Aws, values: Values, read: Mapping[str, object]) -> Values:
    """A bridged provider's state: everything given, overlaid by everything read."""
    given = values if entry.echoes_inputs else {}
    merged = {**given, **read}
    if entry.regional:
        merged.setdefault("region", aws.region)
    if entry.taggable:
        merged.setdefault("tagsAll", merged.get("tags", {}))
    return {name: value for name, value in merged.items() if value is not None}


def _split_tags(entry: ResourceType, aws: Aws, found: Values, inputs: Values) -> Values:
    own = inputs.get("tags")
    known = own if isinstance(own, dict) else {}
    return aws.tagging.split(found, known) if entry.taggable else found


def preview_create(entry: ResourceType, aws: Aws, inputs: Values) -> Values:
    """The outputs a create would have; what only AWS can say is unknown. Makes no call."""
    values = without_defaults(inputs)
    outputs = _outputs(entry, aws, values, {})
    for name in read_schema(entry.schema).outputs - outputs.keys():
        outputs[name] = UNKNOWN
    return outputs


def read(entry: ResourceType, aws: Aws, identifier: str, state: Values, inputs: Values) -> Found:
    """The resource as it is now; an empty id means that it is gone.

    Args:
        state: outputs of last time, none at an import
        inputs: inputs of last time, none at an import
    """
    found = entry.operations.read(aws, identifier, as_told(without_defaults(state)))
    if found is None:
        return Found(identifier="", outputs={}, inputs={})
    found = _split_tags(entry, aws, found, inputs)
    if not inputs and not state:
        outputs = _outputs(entry, aws, {}, found)
        schema = read_schema(entry.schema)
        return Found(
            identifier=identifier, outputs=outputs, inputs=imported_inputs(entry, schema, outputs)
        )
    kept = {name: state[name] for name in entry.state_only if name in state}
    outputs = _outputs(entry, aws, kept, found)
    return Found(
        identifier=identifier, outputs=outputs, inputs=refreshed_inputs(entry, inputs, outputs)
    )


def imported_inputs(entry: ResourceType, schema: Schema, outputs: Values) -> Values:
    """The inputs a program would have to give; what the service fills in is left out. Pure."""
    name = None if entry.autoname is None else entry.autoname.property
    inputs: Values = {DEFAULTS_KEY: []}
    for key, wanted in schema.inputs.items():
        if key not in outputs or key == "region":
            continue
        is_chosen = not is_zero(outputs[key]) and key not in entry.computed
        if wanted.required or key == name or is_chosen:
            inputs[key] = outputs[key]
    return inputs


def refreshed_inputs(entry: ResourceType, inputs: Values, outputs: Values) -> Values:
    """Last time's inputs with what has drifted; unchanged ones keep their form. Pure."""
    drifted = diff(entry, old_inputs=inputs, old_outputs=outputs, news=inputs).properties
    refreshed: Values = {}
    for name, value in inputs.items():
        if name not in drifted:
            refreshed[name] = value
        elif name in outputs:
            found = outputs[name]
            refreshed[name] = found if name in TAGS else shaped_like([value], found)
    return refreshed


@dataclass(frozen=True, kw_only=True)
class Update:
    """A wanted update: the state as it was, and the inputs it shall come to."""

    identifier: str
    state: Values
    old_inputs: Values
    news: Values
    ignore_changes: Sequence[str] = ()


def update(entry: ResourceType, aws: Aws, wanted: Update) -> Values:
    """Bring the resource to its new inputs; returns its outputs.

    Raises:
        PartialError: a call or a wait failed. As in Terraform the *new* values count as the state
            then, so that the next update finds nothing left to do
    """
    difference = _difference(entry, wanted)
    values = {
        **without_defaults(wanted.news),
        **_ignored(wanted, difference),
    }
    change = Change(
        identifier=wanted.identifier,
        old=as_told(wanted.state),
        new=as_told(values),
        properties=frozenset(
            "tags" if name == "tagsAll" else name for name in difference.properties
        ),
    )
    state = {**wanted.state, **values} if entry.echoes_inputs else wanted.state
    try:
        learned = entry.operations.update(aws, change)
        known = {**_state_only(entry, wanted.state), **as_told(values), **(learned or {})}
        found = entry.operations.read(aws, wanted.identifier, known)
    except ProviderError as err:
        raise PartialError(wanted.identifier, state, str(err)) from err
    if found is None:
        raise PartialError(
            wanted.identifier, state, f"reading {entry.title} ({wanted.identifier}): it is gone"
        )
    return _outputs(entry, aws, values, _split_tags(entry, aws, found, values))


def _state_only(entry: ResourceType, state: Values) -> Values:
    return {} if entry.echoes_inputs else state


def _difference(entry: ResourceType, wanted: Update) -> Difference:
    return diff(
        entry,
        old_inputs=wanted.old_inputs,
        old_outputs=wanted.state,
        news=wanted.news,
        ignore_changes=wanted.ignore_changes,
    )


def _ignored(wanted: Update, difference: Difference) -> Values:
    """Ignored properties that drifted keep what is, so that no call sets them back."""
    ignored = {path.split(".")[0].split("[")[0] for path in wanted.ignore_changes}
    return {
        name: wanted.state[name] for name in ignored - difference.properties if name in wanted.state
    }


def preview_update(entry: ResourceType, aws: Aws, wanted: Update) -> Values:
    """The outputs an update would have. Makes no call."""
    difference = _difference(entry, wanted)
    values = without_defaults(wanted.news)
    outputs = {**wanted.state, **_outputs(entry, aws, values, {})}
    if difference.properties - TAGS:
        for name in entry.recomputed:
            outputs[name] = UNKNOWN
    return outputs


def delete(entry: ResourceType, aws: Aws, identifier: str, state: Values) -> None:
    """Take the resource away."""
    entry.operations.delete(aws, identifier, without_defaults(state))
