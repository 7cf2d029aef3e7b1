"""Values keep their meaning on the way to the wire and back."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.engine.errors import EngineError
from rehearsal.engine.values import (
    ARCHIVE_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_TEXT,
    Archive,
    Asset,
    ResourceReference,
    Secret,
    ValueEncodingError,
    contains_secret,
    contains_unknown,
    decode,
    encode,
    plain_from_struct,
    struct_from_plain,
    unwrap_secrets,
)

SPECIAL = [
    Secret({"a": [1, Secret("x")]}),
    Asset(text="hi", hash="h"),
    Archive(path="m.zip", hash="h"),
    Asset(text="", hash="h"),
    ResourceReference(urn="urn:a", id="i", package_version="1.2.3"),
    ResourceReference(urn="urn:a"),
    ResourceReference(urn="urn:a", id=UNKNOWN),
    [UNKNOWN, None, True, 0],
]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("value", SPECIAL, ids=repr)
def test_a_special_value_survives_the_wire(value: object) -> None:
    assert decode(encode(value)) == value


@given(st.dictionaries(st.text(max_size=4), PLAIN, max_size=4))
def test_plain_values_survive_a_protobuf_struct(plain: dict[str, object]) -> None:
    back = plain_from_struct(struct_from_plain(plain))

    assert back == plain
    assert json.dumps(back, sort_keys=True) == json.dumps(plain, sort_keys=True)


def test_every_kind_of_unknown_is_read_as_unknown() -> None:
    assert decode("1c4a061d-8072-4f0a-a4cb-0ff528b18fe7") is UNKNOWN
    assert encode(UNKNOWN) == UNKNOWN_TEXT


def test_unknown_stays_itself_when_copied() -> None:
    assert copy.deepcopy({"a": UNKNOWN})["a"] is UNKNOWN


def test_a_reference_becomes_its_id_or_urn_for_those_who_do_not_know_references() -> None:
    custom, component = ResourceReference(urn="u", id="i"), ResourceReference(urn="u")

    assert encode([custom, component], keep_references=False) == ["i", "u"]


def test_an_asset_of_the_past_is_sent_as_its_hash_alone() -> None:
    plain = encode(Asset(text="secret sauce", hash="h"), asset_content=False)

    assert {key: value for key, value in plain.items() if key != SIGNATURE_KEY} == {"hash": "h"}


def test_an_output_value_says_whether_it_is_known_and_secret() -> None:
    known = {SIGNATURE_KEY: "d0e6a833031e9bbcd3f4e8bde6ca49a4", "value": 1, "secret": True}
    unknown = {SIGNATURE_KEY: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}

    assert decode(known) == Secret(1)
    assert decode(unknown) is UNKNOWN


def test_an_unknown_signature_is_refused_by_name() -> None:
    with pytest.raises(ValueEncodingError, match="signature 'new-kind'"):
        decode({SIGNATURE_KEY: "new-kind"})


def test_an_archive_of_a_map_is_refused_by_name() -> None:
    with pytest.raises(EngineError, match="an archive made of a map of assets is not supported"):
        decode({SIGNATURE_KEY: ARCHIVE_SIGNATURE, "assets": {}})


def test_secrets_and_unknowns_are_found_at_any_depth() -> None:
    value = {"a": [{"x": {"y": Secret(UNKNOWN)}}]}

    assert contains_secret(value)
    assert contains_unknown(value)
    assert not contains_unknown({"a": [UNKNOWN_TEXT[:-1]]})
    assert unwrap_secrets({"a": [Secret({"b": Secret(1)})]}) == {"a": [{"b": 1}]}


def test_a_secret_does_not_show_what_it_hides() -> None:
    assert "hush" not in repr(Secret("hush"))
