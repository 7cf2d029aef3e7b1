"""What ends the work on one input object.

TransformError
`-- JsonPathError      a filter that can't be read, or that finds nothing
"""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Whose fault a failure is, as the first word of FailureReason."""

    CLIENT = "ClientError"
    ALGORITHM = "AlgorithmError"
    INTERNAL = "InternalServerError"


class TransformError(Exception):
    """An input object can't be transformed; the lines are for the job's data log."""

    def __init__(self, *lines: str, fault: Fault = Fault.CLIENT) -> None:
        super().__init__(lines[0])
        self.lines = lines
        self.fault = fault


class JsonPathError(TransformError):
    """A filter can't be read, or doesn't fit the data."""
