"""The short way of forests: it answers what the codecs answer, or leaves the request to them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from server.codecs import body_from_packed, request_from_body
from server.content_type import JSON
from server.features import Schema, schema_from_manifest
from server.forest import compiled_forest
from server.manifest import Feature, FeatureType
from server.plain_forest import PlainAnswer, is_plain, plain_forest
from server.rsgi import Headers
from tests.support.forests import a_fitted_forest
from tests.support.manifests import a_manifest

pytest.importorskip(
    "greenlight_kernel", reason="no compiled kernel; install a C compiler, then run `make setup`"
)

MAX_ROWS = 5
WIDTH = 4
EXPLAIN = "x-greenlight-explain"


@cache
def both_ways(kind: type, classes: int) -> tuple[PlainAnswer, Schema, Any]:
    """Give the short way of a forest, and what the long way takes; fitted once."""
    fitted = a_fitted_forest(kind, classes=classes) if classes else a_fitted_forest(kind)
    forest = compiled_forest(fitted.content)
    assert forest is not None
    features = [
        Feature(name=f"x%{number}", type=FeatureType.NUMBER)
        for number in range(forest.feature_count)
    ]
    manifest = a_manifest(features, classes=[f"class {number}" for number in range(classes)])
    schema = schema_from_manifest(manifest, 100)
    short = plain_forest(schema, forest.predict, MAX_ROWS)
    assert short is not None
    assert forest.feature_count == WIDTH
    return short, schema, forest


def the_long_way(body: bytes, schema: Schema, forest: Any) -> bytes | None:
    """Answer through the codecs."""
    request = request_from_body(JSON, body, schema)
    assert request.packed is not None
    return body_from_packed(JSON, request, forest.predict(request.packed), schema)


numbers = st.one_of(
    st.integers(-1000, 1000), st.floats(-1e30, 1e30, allow_nan=False, allow_infinity=False)
)


@pytest.mark.parametrize(
    ("kind", "classes"), [(RandomForestClassifier, 3), (RandomForestRegressor, 0)]
)
@given(
    rows=st.lists(st.lists(numbers, min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=MAX_ROWS),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", ":\t")]),
)
def test_it_answers_byte_for_byte_what_the_codecs_answer(
    kind: type, classes: int, rows: list[list[float]], separators: tuple[str, str]
) -> None:
    short, schema, forest = both_ways(kind, classes)
    body = json.dumps({"instances": rows}, separators=separators).encode()

    assert short(body) == (the_long_way(body, schema, forest), len(rows))


ROW = [0.5] * WIDTH


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"instances": [[1, 2',
        b'{"instances": []}',
        json.dumps({"features": [ROW]}).encode(),
        json.dumps([{"instances": [ROW]}]).encode(),
        json.dumps({"instances": [ROW]}, indent=1).encode(),
        json.dumps({"instances": [ROW]}).encode() + b" {}",
        json.dumps({"inst[ances": [ROW]}).encode(),
        json.dumps({"instances": [ROW[1:]]}).encode(),
        json.dumps({"instances": [[*ROW[1:], True]]}).encode(),
        json.dumps({"instances": [[*ROW[1:], "1"]]}).encode(),
        json.dumps({"instances": [[*ROW[1:], None]]}).encode(),
        json.dumps({"instances": [[*ROW[1:], float("nan")]]}).encode(),
        json.dumps({"instances": [[*ROW[1:], 1e300]]}).encode(),
        json.dumps({"instances": ROW}).encode(),
        json.dumps({"instances": "a:b"}).encode(),
        json.dumps({"instances": [ROW], "explain": True}).encode(),
        json.dumps({"instances": [ROW] * (MAX_ROWS + 1)}).encode(),
        b'{"instances": [[0]], "instances": [[0]]}',
    ],
)
def test_what_is_not_plain_is_left_to_the_codecs(body: bytes) -> None:
    short, _, _ = both_ways(RandomForestClassifier, 3)

    assert short(body) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, True),
        ({"content-type": "application/json", "accept": "*/*"}, True),
        ({"accept": "application/json"}, True),
        ({"content-type": "text/csv"}, False),
        ({"content-type": "application/json; charset=utf-16"}, False),
        ({"accept": "text/csv"}, False),
        ({"content-encoding": "gzip"}, False),
        ({EXPLAIN: "false"}, False),
    ],
)
def test_only_headers_that_ask_for_json_alone_are_plain(
    headers: dict[str, str], expected: bool
) -> None:
    assert is_plain(cast(Headers, headers), EXPLAIN) is expected


def test_a_model_with_other_than_numbers_has_no_short_way() -> None:
    features = [Feature(name="color", type=FeatureType.STRING)]
    schema = schema_from_manifest(a_manifest(features, classes=["a", "b"]), 100)

    assert plain_forest(schema, lambda rows: np.zeros(1).tobytes(), MAX_ROWS) is None


def test_more_rows_than_a_request_may_have_are_left_to_be_refused() -> None:
    _, schema, forest = both_ways(RandomForestClassifier, 3)
    short = plain_forest(replace(schema, max_rows=2), forest.predict, MAX_ROWS)
    body = json.dumps({"instances": [[1, 2, 3, 4]] * 3}).encode()
    assert short is not None

    assert short(body) is None
    assert short(json.dumps({"instances": [[1, 2, 3, 4]] * 2}).encode()) is not None
