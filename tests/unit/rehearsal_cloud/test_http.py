"""Reading requests off a connection."""

from __future__ import annotations

import io

import pytest

from rehearsal.cloud.http import BadRequest, Request, read_request


def read(data: bytes, sent: list[bytes] | None = None) -> Request | None:
    return read_request(io.BytesIO(data), (sent if sent is not None else []).append)


def test_a_request_has_its_path_query_headers_and_body() -> None:
    request = read(
        b"POST /a%20b/c?x=1 HTTP/1.1\r\nHost: h\r\nX-Amz-Target: T.Op\r\n"
        b"Content-Length: 3\r\n\r\nabcd"
    )

    assert request is not None
    assert (request.method, request.path, request.query_string) == ("POST", "/a b/c", "x=1")
    assert request.raw_path == "/a%20b/c"
    assert request.headers["x-amz-target"] == "T.Op"
    assert ("X-Amz-Target", "T.Op") in request.raw_headers
    assert request.body == b"abc"


def test_a_chunked_body_is_put_together() -> None:
    request = read(
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
    )

    assert request is not None
    assert request.body == b"abcde"


def test_a_peer_that_waits_is_told_to_go_on() -> None:
    sent: list[bytes] = []

    read(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", sent)

    assert sent == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_a_peer_that_closes_between_requests_is_no_error() -> None:
    assert read(b"") is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello\r\n\r\n", "has 1 parts"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n", "headers end early"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "is no length"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "can't be"),
        (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", "ended after 3 of 9 bytes"),
        (b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", "is above"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "is no length"),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read(data)
