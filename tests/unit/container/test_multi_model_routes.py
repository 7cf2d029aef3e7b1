"""What stands in the bodies and queries of the multi-model API."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import MalformedBodyError, RequestError
from server.multi_model_routes import model_from_body, name_from_token


def test_fields_the_platform_adds_are_left_alone() -> None:
    body = b'{"model_name": "a", "url": "/opt/ml/models/a/model", "gpu_id": 3}'

    assert model_from_body(body) == ("a", "/opt/ml/models/a/model")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\xff", "the body is not JSON"),
        (b"null", "model_name and url must be strings"),
        (b'{"model_name": "a"}', "model_name and url must be strings; send"),
        (b'{"model_name": "\\udfff", "url": "/"}', "is not Unicode text"),
    ],
)
def test_a_body_that_names_no_model_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        model_from_body(body)

    assert message in str(caught.value)


@pytest.mark.parametrize("query", ["", "next_page_token=", "other=61"])
def test_without_a_token_the_list_begins_at_its_beginning(query: str) -> None:
    assert name_from_token(query) is None


def test_a_token_is_the_last_name_in_characters_every_query_may_hold() -> None:
    assert name_from_token(f"next_page_token={'a/b &é'.encode().hex()}") == "a/b &é"


@pytest.mark.parametrize("token", ["a/b", "6", "ff", "%00"])
def test_a_token_that_is_none_of_ours_is_refused(token: str) -> None:
    with pytest.raises(RequestError, match="is none of ours; give a nextPageToken"):
        name_from_token(f"next_page_token={token}")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.binary()
    | JSON_VALUES.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"model_name": JSON_VALUES, "url": JSON_VALUES}).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_any_body_names_a_model_or_is_refused(body: bytes) -> None:
    with contextlib.suppress(MalformedBodyError):
        name, url = model_from_body(body)

        assert isinstance(name, str)
        assert isinstance(url, str)


@given(st.text() | st.text().map(lambda token: f"next_page_token={token}"))
def test_any_query_is_a_page_or_is_refused(query: str) -> None:
    with contextlib.suppress(RequestError):
        name = name_from_token(query)

        assert name is None or isinstance(name, str)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_name_comes_back_from_its_token(name: str) -> None:
    assert name_from_token(f"next_page_token={name.encode().hex()}") == name
