"""The part of RSGI this server uses, as types; granian's own are bare stubs.

Source: granian 2.8.7, `rsgi.py` and `_granian.pyi`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Protocol

# A client that leaves in the middle raises one of these.
from granian.rsgi import ProtocolClosed, ProtocolError  # type: ignore[attr-defined]

CLIENT_GONE: tuple[type[Exception], ...] = (ProtocolClosed, ProtocolError)

HeaderList = Sequence[tuple[str, str]]


class Headers(Protocol):
    """Request headers; names are lower case."""

    def get(self, key: str, default: str | None = None) -> str | None: ...


class Scope(Protocol):
    """What is known of a request before its body."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query_string(self) -> str: ...
    @property
    def headers(self) -> Headers: ...


class Exchange(Protocol):
    """The body of a request, whole by a call or in chunks by iteration, and the way to answer."""

    def __call__(self) -> Awaitable[bytes]: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def response_empty(self, status: int, headers: HeaderList) -> None: ...
    def response_bytes(self, status: int, headers: HeaderList, body: bytes) -> None: ...
