"""Scenarios of refresh and of references between stacks."""

from __future__ import annotations

from tests.support.engine_scenarios.scenario import (
    Drift,
    Pulumi,
    Scenario,
    Vanish,
    preview,
    program,
    refresh,
    up,
)

PAIR = """
a = Thing("a", value="one")
b = Thing("b", value=a.shout)
"""

PRODUCER = """
export("name", "shared")
export("hidden", Output.secret("hush"))
export("list", [1, {"x": None}])
"""

CONSUMER = """
base = pulumi.StackReference("organization/base/dev")
a = Thing("a", value=base.require_output("name"))
b = Thing("b", value=base.get_output("hidden"))
export("absent", base.get_output("absent"))
export("list", base.require_output("list"))
"""


def in_base(step: Pulumi) -> Pulumi:
    """The same command in the folder of the project `base`."""
    return Pulumi(argv=step.argv, events=step.events, folder="base")


SCENARIOS = (
    Scenario(
        name="refresh_no_drift",
        story="A refresh that finds nothing new changes nothing.",
        steps=(program(PAIR), up(), refresh(), refresh("--expect-no-changes")),
    ),
    Scenario(
        name="refresh_drift",
        story="A refresh takes over what changed in the cloud; the next update puts it back.",
        steps=(
            program(PAIR),
            up(),
            Drift(identity="a-1", changes={"value": "drifted", "size": 3}),
            refresh("--preview-only"),
            refresh(),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="refresh_gone",
        story="A refresh drops what is gone; the next update makes it again.",
        steps=(program(PAIR), up(), Vanish(identity="a-1"), refresh(), up()),
    ),
    Scenario(
        name="update_with_refresh",
        story="up --refresh reads first and then updates, in one operation.",
        steps=(
            program(PAIR),
            up(),
            Drift(identity="a-1", changes={"value": "drifted"}),
            preview("--refresh"),
            up("--refresh"),
        ),
    ),
    Scenario(
        name="stack_reference",
        story="One stack reads the outputs of another, secrets included.",
        ordered=False,
        steps=(
            program(PRODUCER, folder="base"),
            in_base(up()),
            program(CONSUMER),
            preview(),
            up(),
            up("--expect-no-changes"),
        ),
    ),
    Scenario(
        name="stack_reference_unknown",
        story="A reference to a stack that is not there fails the program.",
        steps=(program('pulumi.StackReference("organization/nowhere/dev")'), preview(), up()),
    ),
    Scenario(
        name="stack_reference_missing_output",
        story="A required output that the other stack lacks fails the program.",
        steps=(
            program(PRODUCER, folder="base"),
            in_base(up()),
            program(
                'base = pulumi.StackReference("organization/base/dev")\n'
                'Thing("a", value=base.require_output("absent"))'
            ),
            preview(),
        ),
    ),
)
