"""A request and its answer without a socket, for testing the inference server's application."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class RequestHeaders:
    """Headers with lower-case names."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def get(self, key: str, default: str | None = None) -> str | None:
        return self._headers.get(key, default)


@dataclass(frozen=True, kw_only=True)
class RequestScope:
    """What is known of a request before its body."""

    method: str = "POST"
    path: str = "/invocations"
    query_string: str = ""
    headers: RequestHeaders = field(default_factory=lambda: RequestHeaders({}))


class RecordingExchange:
    """Gives a body in chunks and keeps the answer."""

    def __init__(self, chunks: Sequence[bytes] = (b"",), *, failure: Exception | None = None):
        self._chunks = list(chunks)
        self._failure = failure
        self.chunks_read = 0
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""

    def __call__(self) -> _Body:
        return _Body(b"".join(self._chunks), self._failure)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            self.chunks_read += 1
            yield chunk

    def response_empty(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.response_bytes(status, headers, b"")

    def response_bytes(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        assert self.status is None, "a request was answered twice"
        self.status, self.headers, self.body = status, dict(headers), body

    @property
    def document(self) -> Any:
        """The JSON of the answer."""
        return json.loads(self.body)


class _Body:
    def __init__(self, body: bytes, failure: Exception | None) -> None:
        self._body = body
        self._failure = failure

    def __await__(self) -> Generator[None, None, bytes]:
        if self._failure is not None:
            raise self._failure
        yield from ()
        return self._body
