"""Every entry names its source and speaks of properties that exist."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rehearsal.provider.entry import ResourceType
from rehearsal.provider.registry import AWS, DOCKER
from rehearsal.provider.schema import Property, read_schema

ENTRIES = [*AWS.types.values(), *DOCKER.types.values()]
# What Check itself adds to the inputs of an image.
NOT_IN_SCHEMA = {"build.contextDigest"}


def property_at(inputs: Mapping[str, Property], path: str) -> Property | None:
    """The property a path speaks of, through lists and blocks."""
    found: Property | None = None
    members = inputs
    for name in path.split("."):
        found = members.get(name)
        if found is None:
            return None
        members = found.members if found.element is None else found.element.members
    return found


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.token)
def test_every_path_of_an_entry_is_in_the_installed_schema(entry: ResourceType) -> None:
    inputs = read_schema(entry.schema).inputs
    paths = {
        *(entry.replaces - {"*"}),
        *entry.updates,
        *entry.computed,
        *entry.defaults,
        *entry.rules,
        *entry.sets,
        *entry.documents,
        *entry.unsupported,
        *entry.silent,
        *entry.state_only,
    }
    if entry.autoname is not None:
        paths.add(entry.autoname.property)

    missing = {path for path in paths - NOT_IN_SCHEMA if property_at(inputs, path) is None}

    assert missing == set()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.token)
def test_an_entry_is_taggable_and_regional_exactly_if_its_schema_is(entry: ResourceType) -> None:
    inputs = read_schema(entry.schema).inputs

    assert entry.taggable == ("tags" in inputs)
    assert entry.regional == ("region" in inputs)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.token)
def test_every_entry_names_its_source(entry: ResourceType) -> None:
    assert entry.source.endswith(".go")


def test_configuration_keys_are_in_the_installed_schema() -> None:
    for package in (AWS, DOCKER):
        assert package.configurable <= read_schema(package.configuration).inputs.keys()
