"""The way out of the server: answers and refusals, with their headers, log lines and counters.

Every answer leaves through here, so this is the one place where errors become HTTP statuses.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator
from time import perf_counter_ns

from .codecs import json_body
from .content_type import JSON
from .errors import (
    MethodNotAllowedError,
    PredictionError,
    RequestError,
    ServerError,
    error_document,
)
from .logs import LOGGER, log
from .metrics import INVOCATIONS, OK, OTHER, PING, Counters, Outcome
from .predictor import Answer
from .rsgi import Exchange, Headers
from .statuses import status_of

HIDDEN_MESSAGES: dict[type[ServerError], str] = {
    PredictionError: "the model failed on this input; the log has the cause under this request id",
}

JSON_HEADER = ("content-type", JSON)
LONGEST_REQUEST_ID = 128
ATTRIBUTES_HEADER = "x-amzn-sagemaker-custom-attributes"
LONGEST_ATTRIBUTES = 1024
"""Source: SageMaker API reference, InvokeEndpoint, CustomAttributes"""

ROUTES_BY_PATH = {"/invocations": INVOCATIONS, "/ping": PING}


class Call:
    """A request on its way through the server.

    Args:
        request_id: the client's own, or one of ours; in the answer and in the log
        prefix: what ids of ours begin with
        number: what they end with
        attributes: what the caller of the endpoint sent along, given back as it came
        started_ns: when its head had been read
    """

    __slots__ = ("attributes", "exchange", "headers", "path", "request_id", "started_ns")

    def __init__(
        self, path: str, headers: Headers, exchange: Exchange, prefix: str, number: int
    ) -> None:
        self.started_ns = perf_counter_ns()
        self.path = path
        self.headers = headers
        self.exchange = exchange
        self.attributes = headers.get(ATTRIBUTES_HEADER)
        given = headers.get("x-request-id")
        self.request_id = (
            given if given is not None and is_request_id(given) else f"{prefix}-{number}"
        )


class Replies:
    """Answers the calls of one thread.

    Args:
        counters: that thread's
    """

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self.prefix = os.urandom(8).hex()
        self.invocations = itertools.count(1)
        self._other_prefix = os.urandom(8).hex()
        self._others = itertools.count(1)
        self._logs_answers = LOGGER.isEnabledFor(logging.DEBUG)

    def begin(self, path: str, headers: Headers, exchange: Exchange) -> Call:
        """Take a request in."""
        if path == "/invocations" or is_of_one_of_many(path):
            number = next(self.invocations)
            self.counters.began(number)
            return Call(path, headers, exchange, self.prefix, number)
        return Call(path, headers, exchange, self._other_prefix, next(self._others))

    def answer(self, call: Call, answer: Answer) -> None:
        """Give an answer, as a 200."""
        headers = [("content-type", answer.media_type), ("x-request-id", call.request_id)]
        if answer.headers:
            headers.extend(answer.headers)
        if call.attributes is not None:
            headers.extend(_attributes(call.attributes, headers, call.request_id))
        # Counted first: whoever has an answer finds it counted.
        elapsed_ns = perf_counter_ns() - call.started_ns
        if call.path == "/invocations" or is_of_one_of_many(call.path):
            self.counters.answered(elapsed_ns, answer.rows)
        else:
            self._count(call, 200, OK)
        call.exchange.response_bytes(200, headers, answer.body)
        if self._logs_answers:
            log(
                logging.DEBUG,
                "answered",
                request_id=call.request_id,
                path=call.path,
                status=200,
                rows=answer.rows,
                custom_attributes=call.attributes,
                elapsed_us=elapsed_ns // 1000,
            )

    def answer_json(self, call: Call, body: bytes, rows: int) -> None:
        """Give JSON to an invocation, as a 200, on the shortest way."""
        if call.attributes is not None or self._logs_answers:
            self.answer(call, Answer(JSON, body, (), rows))
            return
        headers = [JSON_HEADER, ("x-request-id", call.request_id)]
        self.counters.answered(perf_counter_ns() - call.started_ns, rows)
        call.exchange.response_bytes(200, headers, body)

    def answer_empty(self, call: Call) -> None:
        """Answer a 200 without a body."""
        self._count(call, 200, OK)
        call.exchange.response_empty(200, [("x-request-id", call.request_id)])

    def refuse(self, call: Call, error: Exception) -> None:
        """Answer with an error; one that is not ours is a 500 with its traceback in the log."""
        if not isinstance(error, ServerError):
            log(logging.ERROR, "unexpected_error", error=error, request_id=call.request_id)
            error = ServerError()
        status = status_of(type(error))
        message = HIDDEN_MESSAGES.get(type(error), str(error))
        if type(error) is ServerError:
            message = "the server failed; the log has the cause under this request id"
        log(
            logging.ERROR if status >= 500 else logging.INFO,
            "refused",
            request_id=call.request_id,
            path=call.path,
            status=status,
            code=error.code,
            payload=error.payload,
            custom_attributes=call.attributes,
            # A refused request's message repeats the client's values, which are not ours to log.
            cause=None if isinstance(error, RequestError) else str(error),
        )
        headers = [("content-type", JSON), ("x-request-id", call.request_id)]
        if isinstance(error, MethodNotAllowedError):
            headers.append(("allow", error.allowed))
        if call.attributes is not None:
            headers.extend(_attributes(call.attributes, headers, call.request_id))
        document = error_document(error, message=message, request_id=call.request_id)
        self._count(call, status, error.code)
        call.exchange.response_bytes(status, headers, json_body(document))

    def _count(self, call: Call, status: int, code: str) -> None:
        route = ROUTES_BY_PATH.get(call.path)
        if route is None:
            route = INVOCATIONS if is_of_one_of_many(call.path) else OTHER
        outcome = Outcome(route=route, status=status, code=code)
        self.counters.ended(outcome, perf_counter_ns() - call.started_ns)


def is_of_one_of_many(path: str) -> bool:
    """Tell whether a path is an invocation of one of many models."""
    return path.startswith("/models/") and path.endswith("/invoke")


def is_request_id(given: str) -> bool:
    """Tell whether a client's request id may stand in our headers and logs."""
    return 0 < len(given) <= LONGEST_REQUEST_ID and given.isascii() and given.isprintable()


def _attributes(
    attributes: str, headers: list[tuple[str, str]], request_id: str
) -> Iterator[tuple[str, str]]:
    # What an inference script answers goes before what was asked.
    if any(name == ATTRIBUTES_HEADER for name, _ in headers):
        return
    if attributes.isascii() and attributes.isprintable() and len(attributes) <= LONGEST_ATTRIBUTES:
        yield ATTRIBUTES_HEADER, attributes
        return
    # SageMaker refuses them before they come here, so this is a client that asks us directly.
    log(
        logging.WARNING,
        "custom_attributes_dropped",
        request_id=request_id,
        characters=len(attributes),
        allowed=f"{LONGEST_ATTRIBUTES} visible US-ASCII characters",
    )
