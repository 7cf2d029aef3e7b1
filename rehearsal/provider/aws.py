"""Calls to the rehearsal's cloud by botocore, with the real provider's error texts and patience.

Durations of waits and retries are the real provider's and pass at the cloud's speed: the time is
taken from the `Date` header of its answers. Only the pauses between polls are short wall time.
"""

from __future__ import annotations

import email.utils
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.provider.entry import ProviderError
from rehearsal.provider.tagging import Tagging

FIRST_POLL_SECONDS = 0.1
LONGEST_POLL_SECONDS = 0.3
CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 60
# So often in a row may a resource that is waited for not be there.
NOT_FOUND_CHECKS = 20


# ProviderError
#   AwsError           the service answered with an error
#   WaitError          a state other than those waited for, or time ran out
#   CancelledError     the engine asked to stop
class AwsError(ProviderError):
    """A service's error, in the words of AWS's SDK for Go, which the real provider shows."""

    def __init__(
        self,
        *,
        service: str,
        operation: str,
        status: int,
        request_id: str,
        code: str,
        message: str,
        modelled: bool,
    ) -> None:
        error = f"{code}: {message}" if modelled else f"api error {code}: {message}"
        super().__init__(
            f"operation error {service}: {operation}, https response error StatusCode: {status},"
            f" RequestID: {request_id}, {error}"
        )
        self.code = code
        self.message = message
        self.status = status


class WaitError(ProviderError):
    """A wait ended without what was waited for."""


class CancelledError(ProviderError):
    """The engine cancelled the operation while this call was waiting."""


class Clock(Protocol):
    """The cloud's time."""

    def now(self) -> float:
        """Seconds since the epoch, by the cloud's last answer."""

    def sleep(self, seconds: float) -> None:
        """Pause between polls, in wall seconds."""


class CloudClock:
    """Time by the `Date` header of the cloud's answers; the wall's until it first answers."""

    def __init__(self) -> None:
        self._last: float | None = None

    def saw(self, date: str | None) -> None:
        """Take the time from an answer's `Date` header."""
        if date is not None:
            self._last = email.utils.parsedate_to_datetime(date).timestamp()

    def now(self) -> float:
        return time.time() if self._last is None else self._last

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Clients:
    """boto3 clients of the one cloud, made on first use and shared by all calls."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str) -> Any:
        """The client of one service in one region."""
        with self._lock:
            if (service, region) not in self._made:
                self._made[service, region] = self._make(service, region)
            return self._made[service, region]

    def _make(self, service: str, region: str) -> Any:
        session = boto3.session.Session(
            aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "rehearsal"),
            aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "rehearsal"),
            region_name=region,
        )
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "max_attempts": 3},
            s3={"addressing_style": "path"},
            max_pool_connections=32,
        )
        return session.client(service, endpoint_url=self.url, config=config)  # type: ignore[call-overload]


@dataclass(frozen=True, kw_only=True)
class Aws:
    """One request's way to the cloud.

    Args:
        region: region the provider is configured for
        tagging: what the provider is configured to do about tags
        is_cancelled: asked between polls
    """

    clients: Clients
    clock: CloudClock | Clock
    region: str
    tagging: Tagging = field(default_factory=Tagging)
    is_cancelled: Callable[[], bool] = lambda: False

    @property
    def url(self) -> str:
        """The cloud's address."""
        return self.clients.url

    def call(self, service: str, operation: str, **members: Any) -> dict[str, Any]:
        """One API call; members that are None are left out.

        Args:
            operation: as AWS names it, e.g. `CreateEndpoint`

        Raises:
            AwsError: the service answered with an error
            ProviderError: the service could not be reached, or the members are not as it takes them
        """
        client = self.clients.client(service, self.region)
        method = getattr(client, _method_name(client, operation))
        given = {name: value for name, value in members.items() if value is not None}
        try:
            answer: dict[str, Any] = method(**given)
        except ClientError as err:
            self._saw(err.response)
            raise self._error(client, operation, err) from err
        except BotoCoreError as err:
            name = client.meta.service_model.service_id
            raise ProviderError(f"operation error {name}: {operation}, {err}") from err
        self._saw(answer)
        return answer

    def pages(self, service: str, operation: str, member: str, **members: Any) -> list[Any]:
        """All items of a list operation that pages, under one member of its answers."""
        client = self.clients.client(service, self.region)
        paginator = client.get_paginator(_method_name(client, operation))
        try:
            return [item for page in paginator.paginate(**members) for item in page.get(member, [])]
        except ClientError as err:
            raise self._error(client, operation, err) from err

    def _saw(self, answer: Mapping[str, Any]) -> None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if isinstance(self.clock, CloudClock):
            self.clock.saw(headers.get("date"))

    def _error(self, client: Any, operation: str, err: ClientError) -> AwsError:
        model = client.meta.service_model
        metadata = err.response.get("ResponseMetadata", {})
        code = str(err.response.get("Error", {}).get("Code", "Unknown"))
        modelled = {
            shape.metadata.get("error", {}).get("code", shape.name)
            for shape in model.operation_model(operation).error_shapes
        }
        return AwsError(
            service=model.service_id,
            operation=operation,
            status=int(metadata.get("HTTPStatusCode", 0)),
            request_id=str(metadata.get("RequestId", "")),
            code=code,
            message=str(err.response.get("Error", {}).get("Message", "")),
            modelled=code in modelled,
        )

    def poll(self, seconds: float, step: Callable[[], bool], timed_out: Callable[[], str]) -> None:
        """Repeat a step until it says True.

        Args:
            seconds: the real provider's deadline, in the cloud's time
            step: makes at least one call, so that the cloud's time moves
            timed_out: what was waited for, for the error

        Raises:
            WaitError: the deadline passed
            CancelledError: the engine asked to stop
        """
        started: float | None = None
        pause = FIRST_POLL_SECONDS
        while not step():
            now = self.clock.now()
            started = now if started is None else started
            if now - started >= seconds:
                raise WaitError(timed_out())
            if self.is_cancelled():
                raise CancelledError(f"cancelled while waiting: {timed_out()}")
            self.clock.sleep(pause)
            pause = min(pause * 2, LONGEST_POLL_SECONDS)

    def wait_for_state(
        self,
        seconds: float,
        state: Callable[[], tuple[str, str]],
        *,
        pending: Collection[str],
        target: str,
    ) -> None:
        """Wait as Terraform's StateChangeConf does.

        Args:
            state: the state now, "" when it is gone, and the reason the service gives for it
            pending: states to wait in; any other than these and the target is an error
            target: the state waited for; "" for being gone

        Raises:
            WaitError: another state, gone for too long, or the deadline passed
        """
        last = ""
        missed = 0

        def step() -> bool:
            nonlocal last, missed
            last, reason = state()
            if last == target:
                return True
            missed = missed + 1 if last == "" else 0
            if 0 < missed <= NOT_FOUND_CHECKS:
                return False
            if missed:
                raise WaitError(f"couldn't find resource ({missed} retries)")
            if last not in pending:
                cause = f". last error: {reason}" if reason else ""
                raise WaitError(f"unexpected state '{last}', wanted target '{target}'{cause}")
            return False

        def timed_out() -> str:
            return (
                f"timeout while waiting for state to become '{target}' (last state: '{last}',"
                f" timeout: {go_duration(seconds)})"
            )

        self.poll(seconds, step, timed_out)

    def retry(
        self, seconds: float, attempt: Callable[[], Any], is_retried: Callable[[AwsError], bool]
    ) -> Any:
        """Call until it works, some other error comes or the deadline passes; then that error.

        Args:
            seconds: the real provider's patience, in the cloud's time
        """
        result: Any = None
        failure: AwsError | None = None

        def step() -> bool:
            nonlocal result, failure
            try:
                result = attempt()
            except AwsError as err:
                if not is_retried(err):
                    raise
                failure = err
                return False
            return True

        try:
            self.poll(seconds, step, lambda: f"retried for {go_duration(seconds)}")
        except WaitError:
            if failure is None:
                raise
            raise failure from None
        return result


def go_duration(seconds: float) -> str:
    """A duration as Go prints it: `1h0m0s`, `10m0s`, `30s`."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _method_name(client: Any, operation: str) -> str:
    for method, name in client.meta.method_to_api_mapping.items():
        if name == operation:
            return str(method)
    raise ProviderError(f"botocore's {client.meta.service_model.service_name} has no {operation}")
