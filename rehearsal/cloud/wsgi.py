"""Mounts moto's WSGI application behind our server."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any

from rehearsal.cloud.http import Request, Response

# Ours to say: the connection belongs to our server, and the clock is the rehearsal's.
DROPPED_HEADERS = frozenset({"connection", "transfer-encoding", "date", "server"})
PRESERVED_NAMES_KEY = "moto.preserved_header_names"


class WsgiMount:
    """Answers requests by a WSGI application."""

    def __init__(self, application: Callable[..., Iterable[bytes]], *, port: int) -> None:
        self._application = application
        self._port = port

    def __call__(self, request: Request) -> Response:
        status: list[str] = []
        headers: list[tuple[str, str]] = []

        def start_response(line: str, head: list[tuple[str, str]], *_: Any) -> None:
            status.append(line)
            headers.extend(head)

        chunks = self._application(environ_from_request(request, self._port), start_response)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        kept = tuple((n, v) for n, v in headers if n.lower() not in DROPPED_HEADERS)
        if request.method != "HEAD":
            kept = tuple((n, v) for n, v in kept if n.lower() != "content-length")
        return Response(status=int(status[0].split()[0]), headers=kept, body=body)


def environ_from_request(request: Request, port: int) -> dict[str, Any]:
    """Return the WSGI environment of a request.

    Header names with an underscore are kept for S3 metadata only, in the form moto looks for;
    elsewhere WSGI can't tell them from the dashed spelling, so they are left out.
    """
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path.encode().decode("latin-1"),
        "QUERY_STRING": request.query_string,
        "REQUEST_URI": request.target,
        "RAW_URI": request.target,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        PRESERVED_NAMES_KEY: {},
    }
    for name, value in request.raw_headers:
        _add_header(environ, name, value)
    return environ


def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
    lower = name.lower()
    if lower in ("content-length", "transfer-encoding", "expect"):
        return
    key = name.upper().replace("-", "_")
    if "_" in name:
        if not lower.startswith("x-amz-meta-"):
            return
        environ[PRESERVED_NAMES_KEY][f"HTTP_{key}"] = name
    if lower == "content-type":
        environ["CONTENT_TYPE"] = value
        return
    key = f"HTTP_{key}"
    environ[key] = f"{environ[key]},{value}" if key in environ else value
