"""Wire values: what comes is understood or refused, and goes back as it came."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.provider.value import (
    ARCHIVE,
    ASSET,
    OUTPUT,
    REFERENCE,
    SECRET,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_TEXTS,
    Asset,
    WireError,
    contains_unknown,
    from_json,
    is_zero,
    struct_from_values,
    to_json,
    values_from_struct,
    without_defaults,
)


def test_numbers_without_a_fraction_become_whole() -> None:
    values = {"count": 2, "weight": 0.5, "flag": True, "none": None, "list": [1, "a"]}

    came_back = values_from_struct(struct_from_values(values))

    assert came_back == values
    assert isinstance(came_back["count"], int)


@pytest.mark.parametrize("text", sorted(UNKNOWN_TEXTS))
def test_every_sentinel_is_unknown(text: str) -> None:
    assert from_json({"a": [text]}) == {"a": [UNKNOWN]}


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ({SIGNATURE_KEY: SECRET, "value": "s"}, "s"),
        ({SIGNATURE_KEY: OUTPUT, "value": ["v"], "secret": True}, ["v"]),
        ({SIGNATURE_KEY: OUTPUT}, UNKNOWN),
        ({SIGNATURE_KEY: REFERENCE, "urn": "u", "id": "i"}, "i"),
        ({SIGNATURE_KEY: REFERENCE, "urn": "u", "id": ""}, UNKNOWN),
        ({SIGNATURE_KEY: REFERENCE, "urn": "u"}, "u"),
    ],
)
def test_special_objects_become_what_they_hold(wire: dict[str, Any], value: Any) -> None:
    assert from_json(wire) == value


@pytest.mark.parametrize("signature", [ASSET, ARCHIVE])
def test_assets_and_archives_survive_the_wire(signature: str) -> None:
    wire = {SIGNATURE_KEY: signature, "path": "/tmp/x", "hash": "abc"}

    asset = from_json(wire)

    assert isinstance(asset, Asset)
    assert asset.get("path") == "/tmp/x"
    assert to_json(asset) == wire


def test_an_unknown_signature_is_refused() -> None:
    with pytest.raises(WireError, match=r"signature 'nonsense' came; secrets"):
        from_json({SIGNATURE_KEY: "nonsense"})


def test_assets_have_the_same_content_when_their_hashes_are_equal() -> None:
    one = Asset(signature=ASSET, members=(("path", "a"), ("hash", "h")))
    other = Asset(signature=ASSET, members=(("hash", "h"),))

    assert one.same_content(other)
    assert not one.same_content(Asset(signature=ASSET, members=(("hash", "g"),)))


def test_unknowns_are_found_at_any_depth() -> None:
    assert contains_unknown({"a": [{"b": UNKNOWN}]})
    assert not contains_unknown({"a": [{"b": 1}]})


def test_defaults_lists_are_dropped_at_any_depth() -> None:
    held = {"__defaults": ["a"], "a": 1, "b": [{"__defaults": [], "c": 2}]}

    assert without_defaults(held) == {"a": 1, "b": [{"c": 2}]}


@pytest.mark.parametrize("value", [None, "", 0, False, [], {}])
def test_zero_values_are_as_good_as_absent(value: Any) -> None:
    assert is_zero(value)


@pytest.mark.parametrize("value", ["a", 1, True, [0], {"a": 1}, UNKNOWN])
def test_other_values_are_not(value: Any) -> None:
    assert not is_zero(value)
