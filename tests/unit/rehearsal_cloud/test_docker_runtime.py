"""Names, exit codes and output of containers in a Docker engine."""

from __future__ import annotations

import re

import pytest

from rehearsal.cloud.fleets.docker_runtime import (
    MAXIMUM_NAME_CHARACTERS,
    container_name,
    exit_code,
    whole_lines,
)


@pytest.mark.parametrize(
    ("status", "code"), [(0, 0), (3, 3), (137, -9), (143, -15), (128, 128), (255, 255)]
)
def test_a_signal_shows_as_it_does_for_a_process(status: int, code: int) -> None:
    assert exit_code(status) == code


def test_each_container_has_a_name_of_its_own_that_the_engine_takes() -> None:
    first, second = (container_name("iris/main i-1") for _ in range(2))

    assert first != second
    assert re.fullmatch(r"greenlight-iris-main-i-1-[0-9a-f]{8}", first)
    assert len(container_name("x" * 500)) < MAXIMUM_NAME_CHARACTERS + 30


def test_lines_and_characters_may_be_cut_anywhere() -> None:
    chunks = [b"one\r\ntw", b"o\ngr\xc3", b"\xbcn\n", b"half"]

    assert list(whole_lines(iter(chunks))) == ["one", "two", "grün", "half"]
