"""Which decoder and encoder the headers choose."""

from __future__ import annotations

import pytest

from server.content_type import media_type_from_accept, media_type_from_content_type
from server.errors import NotAcceptableError, UnsupportedContentTypeError


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        (None, "application/json"),
        ("application/json", "application/json"),
        ("Application/JSON; charset=UTF-8", "application/json"),
        ('application/json; charset="utf-8"', "application/json"),
        ("text/csv", "text/csv"),
        ("text/csv;header=absent", "text/csv; header=absent"),
        ('text/csv; Header="Present"', "text/csv; header=present"),
        ("application/jsonlines", "application/jsonlines"),
        ("application/x-jsonlines;charset=utf8", "application/x-jsonlines"),
        ("application/x-npy", "application/x-npy"),
    ],
)
def test_content_types_choose_a_decoder(header: str | None, media_type: str) -> None:
    assert media_type_from_content_type(header, None) == media_type


@pytest.mark.parametrize(
    ("content_type", "encoding", "message"),
    [
        ("text/plain", None, "'text/plain' is not supported; send application/json, text/csv, "),
        ("text/csv; header=maybe", None, "header='maybe' is not supported; say header=present"),
        ("", None, "content type '' is not supported"),
        ("application/json; charset=latin-1", None, "'latin-1' is not supported; send the body in"),
        ("application/json", "gzip", "'gzip' is not supported; send the body uncompressed"),
    ],
)
def test_other_content_types_are_refused_with_those_supported(
    content_type: str, encoding: str | None, message: str
) -> None:
    with pytest.raises(UnsupportedContentTypeError) as caught:
        media_type_from_content_type(content_type, encoding)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("application/*", "application/json"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv"),
        ("text/csv, application/json", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/csv;q=much", "text/csv"),
        ("application/x-npy", "application/x-npy"),
        ("application/x-jsonlines, text/html", "application/x-jsonlines"),
    ],
)
def test_accept_chooses_an_encoder(header: str | None, media_type: str) -> None:
    assert media_type_from_accept(header) == media_type


@pytest.mark.parametrize(
    ("accept", "read", "written"),
    [
        (None, "application/jsonlines", "application/jsonlines"),
        ("*/*", "application/x-jsonlines", "application/x-jsonlines"),
        ("*/*;q=0.8", "application/jsonlines", "application/jsonlines"),
        ("application/json", "application/jsonlines", "application/json"),
        ("text/csv", "application/jsonlines", "text/csv"),
        (None, "text/csv", "application/json"),
        (None, "application/x-npy", "application/json"),
    ],
)
def test_lines_are_answered_by_lines_unless_something_else_is_asked_for(
    accept: str | None, read: str, written: str
) -> None:
    assert media_type_from_accept(accept, read) == written


@pytest.mark.parametrize("header", ["image/png", "application/json;q=0", "*/*;q=0.0"])
def test_an_answer_nobody_writes_is_refused_with_those_written(header: str) -> None:
    with pytest.raises(
        NotAcceptableError, match="accept application/json, text/csv, application/jsonl"
    ):
        media_type_from_accept(header)
