"""Physical names."""

from __future__ import annotations

import re

import pytest

from rehearsal.provider.autoname import (
    AutonamingDisabledError,
    AutonamingMode,
    ProposedName,
    physical_name,
)
from rehearsal.provider.entry import Autoname

SEED = bytes(range(32))


def test_a_name_is_the_logical_one_and_seven_hex_digits() -> None:
    name = physical_name(Autoname(), "wine", SEED, None)

    assert re.fullmatch(r"wine-[0-9a-f]{7}", name)


def test_the_same_seed_makes_the_same_name_and_another_one_another() -> None:
    first = physical_name(Autoname(), "wine", SEED, None)

    assert physical_name(Autoname(), "wine", SEED, None) == first
    assert physical_name(Autoname(), "wine", b"other", None) != first


def test_a_long_logical_name_is_cut_so_that_the_whole_fits() -> None:
    name = physical_name(Autoname(maximum_length=63), "x" * 100, SEED, None)

    assert len(name) == 63
    assert re.fullmatch(r"x{55}-[0-9a-f]{7}", name)


def test_capitals_are_lowered_where_the_service_refuses_them() -> None:
    assert physical_name(Autoname(lower_case=True), "Wine", SEED, None).startswith("wine-")


def test_a_name_that_is_not_random_is_the_logical_one() -> None:
    assert physical_name(Autoname(random=False), "models/a", SEED, None) == "models/a"


@pytest.mark.parametrize("mode", [AutonamingMode.PROPOSE, AutonamingMode.ENFORCE])
def test_the_engines_own_proposal_is_taken(mode: AutonamingMode) -> None:
    proposed = ProposedName(text="dev-wine", mode=mode)

    assert physical_name(Autoname(), "wine", SEED, proposed) == "dev-wine"


def test_disabled_autonaming_asks_for_the_property_by_name() -> None:
    proposed = ProposedName(text="", mode=AutonamingMode.DISABLE)

    with pytest.raises(AutonamingDisabledError, match="give 'bucket' a value"):
        physical_name(Autoname(property="bucket"), "wine", SEED, proposed)
