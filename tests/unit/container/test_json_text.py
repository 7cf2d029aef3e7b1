"""JSON read strictly, whichever reader it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.codecs.json_text import has_no_hidden_key, json_body, read_json, read_json_strictly
from server.errors import MalformedBodyError

KEYS = st.sampled_from(["instances", "a", "b", "a:b", '"'])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(":{}[]\\a", max_size=3)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(KEYS, children, max_size=3)
    ),
    max_leaves=10,
)


def written(pairs: Any) -> str:
    """Write JSON in which lists of pairs are objects, so that keys can be given twice."""
    if isinstance(pairs, tuple):
        return "{" + ",".join(f"{json.dumps(key)}:{written(item)}" for key, item in pairs) + "}"
    if isinstance(pairs, list):
        return "[" + ",".join(map(written, pairs)) + "]"
    return json.dumps(pairs)


PAIRS = st.recursive(
    SCALARS,
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.lists(st.tuples(KEYS, children), max_size=3).map(tuple),
    ),
    max_leaves=10,
)


@given(document=DOCUMENTS)
def test_both_readers_read_the_same(document: Any) -> None:
    text = json.dumps(document).encode()

    assert read_json(text) == document
    assert read_json_strictly(text) == document


@given(pairs=PAIRS)
def test_a_key_given_twice_is_never_taken_silently(pairs: Any) -> None:
    text = written(pairs).encode()

    try:
        expected = read_json_strictly(text)
    except MalformedBodyError:
        with pytest.raises(MalformedBodyError, match="twice; give it once"):
            read_json(text)
    else:
        assert read_json(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b'{"instances": [[1, 2]]}',
        b'{"instances": [{"a": 1, "b": 2}, {"a": 1}], "explain": true}',
        b'{"instances": [["x", "y"]]}',
    ],
)
def test_bodies_as_clients_write_them_are_read_once(text: bytes) -> None:
    assert has_no_hidden_key(json.loads(text), text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", 1.8446744073709552e19),
        (b"-9223372036854775809", -9.223372036854775808e18),
        (b"9" * 4000, float("inf")),
    ],
)
def test_integers_are_exact_as_far_as_they_can_be_written_back(text: bytes, value: float) -> None:
    assert read_json_strictly(text) == value
    assert isinstance(read_json_strictly(text), type(value))


def test_what_the_text_is_can_be_told() -> None:
    with pytest.raises(MalformedBodyError, match="line 3 is not JSON: Expecting value"):
        read_json(b"[1,]", "line 3")


def test_an_object_of_numpys_numbers_can_be_written() -> None:
    import numpy as np

    assert json_body({"a": np.float32(0.96), "b": np.array([1.0, 2.0])}) == (
        b'{"a":0.96,"b":[1.0,2.0]}'
    )
