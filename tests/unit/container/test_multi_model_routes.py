"""What stands in the bodies and queries of the multi-model API."""

from __future__ import annotations

import pytest

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
