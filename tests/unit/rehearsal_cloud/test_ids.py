"""Ids come from the seed, ours and moto's."""

from __future__ import annotations

from moto.moto_api._internal import mock_random

from rehearsal.cloud.ids import new_id, request_id, seed_ids


def drawn(seed: int | str) -> list[str]:
    seed_ids(seed)
    return [new_id(), request_id(), mock_random.get_random_hex(8), new_id(), request_id()]


def test_a_seed_gives_the_same_ids_and_another_one_others() -> None:
    assert drawn(1) == drawn(1)
    assert not set(drawn(1)) & set(drawn(2))
    assert drawn("1/command/1") != drawn("1/command/2")


def test_asking_for_answers_ids_does_not_change_those_of_things() -> None:
    seed_ids(1)
    first = new_id()
    seed_ids(1)
    request_id()

    assert new_id() == first
