"""Scenarios of replacement: which side first, dependents, force, and what is left pending."""

from __future__ import annotations

from tests.support.engine_scenarios.provider import Fault
from tests.support.engine_scenarios.scenario import Scenario, destroy, preview, program, up

PAIR = """
a = Thing("a", fixed="FIXED", value=1)
b = Thing("b", value=a.name)
"""

# The endpoint story of this repository: a swap points at an immutable configuration by name.
SWAP = """
model = Thing("model", fixed="MODEL")
config = Thing("config", fixed=model.name)
swap = Thing("swap", value=config.name, spec="MODEL")
export("config", config.name)
"""

KEPT = 'k = Thing("k", value=1)\n'

SCENARIOS = (
    Scenario(
        name="replace_create_first",
        story="A replacement is created before the old is deleted; a dependent is only updated.",
        steps=(
            program(PAIR.replace("FIXED", "one")),
            up(),
            program(PAIR.replace("FIXED", "two")),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="replace_chain",
        story="A dependent whose fixed property follows is replaced too; the old pair goes last.",
        steps=(
            program(SWAP.replace("MODEL", "one")),
            up(),
            program(SWAP.replace("MODEL", "two")),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="replace_delete_first_option",
        story="deleteBeforeReplace turns the order round; an explicit False beats the provider.",
        steps=(
            program('Thing("a", ResourceOptions(delete_before_replace=True), fixed=1)'),
            up(),
            program('Thing("a", ResourceOptions(delete_before_replace=True), fixed=2)'),
            up(),
            program(
                'Thing("a", ResourceOptions(delete_before_replace=False), fixed=2, exclusive=1)'
            ),
            up(),
        ),
    ),
    Scenario(
        name="replace_delete_first_fails",
        story="A create failing after its delete leaves it pending; the next run creates.",
        steps=(
            program('Thing("a", exclusive=1)'),
            up(),
            program('Thing("a", exclusive=2)'),
            Fault(method="Create", name="a", message="no room for a"),
            up(),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="pending_replacement_dropped",
        story="A pending replacement that left the program is forgotten without a call.",
        steps=(
            program(KEPT + 'Thing("a", ResourceOptions(depends_on=[k]), exclusive=1)'),
            up(),
            program(KEPT + 'Thing("a", ResourceOptions(depends_on=[k]), exclusive=2)'),
            Fault(method="Create", name="a", message="no room for a"),
            up(),
            program(KEPT),
            up(),
        ),
    ),
    Scenario(
        name="endpoint_swap_fails",
        story="A failed swap keeps the old configuration; a good one later deletes all old pairs.",
        steps=(
            program(SWAP.replace("MODEL", "one")),
            up(),
            program(SWAP.replace("MODEL", "two")),
            Fault(method="Update", name="swap", message="the alarm tripped; blue was put back"),
            up(),
            Fault(method="Update", name="swap", message="the alarm tripped again"),
            up(),
            preview(),
            up(),
            up("--expect-no-changes"),
        ),
    ),
    Scenario(
        name="endpoint_swap_reverts",
        story="After a failed swap the first model again: a new pair, then all old ones go.",
        steps=(
            program(SWAP.replace("MODEL", "one")),
            up(),
            program(SWAP.replace("MODEL", "two")),
            Fault(method="Update", name="swap", message="the alarm tripped; blue was put back"),
            up(),
            program(SWAP.replace("MODEL", "one")),
            up(),
            destroy(),
        ),
    ),
    Scenario(
        name="endpoint_swap_destroyed",
        story="Destroy after a failed swap deletes the pending pair and the present one.",
        steps=(
            program(SWAP.replace("MODEL", "one")),
            up(),
            program(SWAP.replace("MODEL", "two")),
            Fault(method="Update", name="swap", message="the alarm tripped; blue was put back"),
            up(),
            destroy(),
        ),
    ),
    Scenario(
        name="failed_delete_of_replaced",
        story="An old thing that cannot be deleted stays pending, and the next update deletes it.",
        steps=(
            program(PAIR.replace("FIXED", "one")),
            up(),
            program(PAIR.replace("FIXED", "two")),
            Fault(method="Delete", name="a", message="a is still in use"),
            up(),
            preview(),
            up(),
        ),
    ),
)
