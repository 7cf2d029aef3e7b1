"""How much memory there is, and how much is held."""

from __future__ import annotations

import os
from pathlib import Path

from server.multi_model_memory import (
    default_budget_bytes,
    directory_bytes,
    give_memory_back,
    resident_bytes,
)

MACHINE_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_models_get_a_share_of_what_the_container_may_use(tmp_path: Path) -> None:
    version_1, version_2 = tmp_path / "memory.limit_in_bytes", tmp_path / "memory.max"
    version_2.write_text("1000000\n")

    assert default_budget_bytes((version_2, version_1)) == 700_000
    version_1.write_text("500000\n")
    assert default_budget_bytes((version_1,)) == 350_000


def test_without_a_limit_it_is_a_share_of_the_machines_memory(tmp_path: Path) -> None:
    version_1, version_2 = tmp_path / "memory.limit_in_bytes", tmp_path / "memory.max"
    version_1.write_text("9223372036854771712\n")
    version_2.write_text("max\n")

    for files in ((), (tmp_path / "nothing",), (version_1,), (version_2,)):
        assert default_budget_bytes(files) == MACHINE_BYTES * 70 // 100


def test_memory_that_is_held_counts_and_memory_given_back_does_not() -> None:
    # What ran before in this process may have left free pieces, which would be used first.
    give_memory_back()
    before = resident_bytes()
    # Small pieces, which malloc keeps for later when they are freed.
    held = [bytes([number % 256]) * 5_000 for number in range(10_000)]
    during = resident_bytes()
    count = len(held)

    del held
    give_memory_back()

    assert count == 10_000
    assert during - before > 40_000_000
    assert resident_bytes() - before < 20_000_000


def test_a_directory_is_as_large_as_all_files_below_it(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "model.onnx").write_bytes(b"12345")
    (tmp_path / "code" / "inference.py").write_bytes(b"123")

    assert directory_bytes(tmp_path) == 8
