"""Which HTTP status each class of errors is answered with."""

from __future__ import annotations

from .errors import (
    BodyTimeoutError,
    BodyTooLargeError,
    MethodNotAllowedError,
    ModelAlreadyLoadedError,
    ModelMemoryError,
    ModelNotLoadedError,
    ModelUnavailableError,
    NotAcceptableError,
    PredictionError,
    RequestError,
    RouteNotFoundError,
    ServerError,
    UnsupportedContentTypeError,
)

STATUSES: dict[type[ServerError], int] = {
    RequestError: 400,
    RouteNotFoundError: 404,
    ModelNotLoadedError: 404,
    MethodNotAllowedError: 405,
    NotAcceptableError: 406,
    BodyTimeoutError: 408,
    ModelAlreadyLoadedError: 409,
    BodyTooLargeError: 413,
    UnsupportedContentTypeError: 415,
    PredictionError: 500,
    ModelUnavailableError: 503,
    ModelMemoryError: 507,
}
"""The nearest class in an error's ancestry decides; everything else is a 500."""


def status_of(kind: type[ServerError]) -> int:
    """Give the HTTP status for a class of errors."""
    for ancestor in kind.__mro__:
        if ancestor in STATUSES:
            return STATUSES[ancestor]
    return 500


def codes() -> list[tuple[int, str]]:
    """Give the status and code of every error there is."""
    kinds = [ServerError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    return list(dict.fromkeys((status_of(kind), kind.code) for kind in kinds))
