"""moto's WSGI application behind our server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rehearsal.cloud.http import Request
from rehearsal.cloud.wsgi import WsgiMount, environ_from_request


def a_request(*headers: tuple[str, str], body: bytes = b"body") -> Request:
    return Request(
        method="POST",
        target="/bucket/k%C3%A9y?x=1",
        headers={name.lower(): value for name, value in headers},
        raw_headers=headers,
        body=body,
    )


def test_the_environment_holds_the_request() -> None:
    environ = environ_from_request(
        a_request(("Content-Type", "text/csv"), ("X-A", "1"), ("X-A", "2"), ("Expect", "x")), 80
    )

    assert environ["PATH_INFO"].encode("latin-1").decode() == "/bucket/k\u00e9y"
    assert environ["QUERY_STRING"] == "x=1"
    assert environ["CONTENT_TYPE"] == "text/csv"
    assert environ["CONTENT_LENGTH"] == "4"
    assert environ["HTTP_X_A"] == "1,2"
    assert environ["wsgi.input"].read() == b"body"
    assert "HTTP_EXPECT" not in environ


def test_underscores_are_kept_for_s3_metadata_and_dropped_elsewhere() -> None:
    environ = environ_from_request(a_request(("x-amz-meta-a_b", "1"), ("Host_Name", "evil")), 80)

    assert environ["HTTP_X_AMZ_META_A_B"] == "1"
    assert environ["moto.preserved_header_names"] == {"HTTP_X_AMZ_META_A_B": "x-amz-meta-a_b"}
    assert "HTTP_HOST_NAME" not in environ


def test_the_answer_loses_what_is_ours_to_say() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("201 CREATED", [("Date", "old"), ("ETag", "e"), ("Content-Length", "99")])
        return [b"a", b"b"]

    response = WsgiMount(application, port=80)(a_request())

    assert (response.status, response.headers, response.body) == (201, (("ETag", "e"),), b"ab")
