"""What a transform job is told."""

from __future__ import annotations

import pytest

from server.batch import execution_parameters
from server.settings import Settings


@pytest.mark.parametrize(
    ("max_body_bytes", "workers", "concurrency", "strategy", "megabytes"),
    [
        (6 * 2**20, 1, 1, "MULTI_RECORD", 6),
        (6 * 2**20, 16, 16, "MULTI_RECORD", 6),
        (6 * 2**20, 64, 16, "MULTI_RECORD", 6),
        (7 * 2**20 - 1, 2, 2, "MULTI_RECORD", 6),
        (100 * 2**20, 8, 1, "MULTI_RECORD", 100),
        (2**20 - 1, 8, 8, "SINGLE_RECORD", 1),
        (1024, 200, 100, "SINGLE_RECORD", 1),
    ],
)
def test_a_job_is_told_whole_megabytes_and_as_many_requests_as_there_are_workers(
    max_body_bytes: int, workers: int, concurrency: int, strategy: str, megabytes: int
) -> None:
    told = execution_parameters(Settings(max_body_bytes=max_body_bytes), workers)

    assert told == {
        "MaxConcurrentTransforms": concurrency,
        "BatchStrategy": strategy,
        "MaxPayloadInMB": megabytes,
    }
    assert concurrency * megabytes <= 100
