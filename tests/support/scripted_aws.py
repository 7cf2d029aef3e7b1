"""A substitute for the way to the cloud: answers calls from a script and keeps what was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.provider.aws import Aws, AwsError, Clients
from tests.support.provider_client import FastClock

Answer = dict[str, Any] | AwsError


def an_error(code: str, message: str, operation: str = "Operation", status: int = 400) -> AwsError:
    """A service's error."""
    return AwsError(
        service="SageMaker",
        operation=operation,
        status=status,
        request_id="r",
        code=code,
        message=message,
        modelled=False,
    )


class ScriptedAws(Aws):
    """Answers each operation with the next of its script; the last one stays."""

    def __init__(
        self,
        script: dict[str, list[Answer]],
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(
            clients=Clients("http://127.0.0.1:1"),
            clock=FastClock(),
            region="eu-west-1",
            is_cancelled=is_cancelled,
        )
        self.__dict__["script"] = {name: list(answers) for name, answers in script.items()}
        self.__dict__["asked"] = []

    def call(self, service: str, operation: str, **members: Any) -> dict[str, Any]:
        given = {name: value for name, value in members.items() if value is not None}
        self.__dict__["asked"].append((operation, given))
        answers = self.__dict__["script"].get(operation, [{}])
        answer: Answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, AwsError):
            raise answer
        return answer

    def times(self, operation: str) -> int:
        """How often an operation was called."""
        return sum(1 for name, _ in self.__dict__["asked"] if name == operation)

    def members_of(self, operation: str) -> dict[str, Any]:
        """What the first call of an operation was given."""
        found: dict[str, Any] = next(
            members for name, members in self.__dict__["asked"] if name == operation
        )
        return found
