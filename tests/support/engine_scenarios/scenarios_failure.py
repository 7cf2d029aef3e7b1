"""Scenarios of failure: of the provider, half way, of the program, of a check, of a function."""

from __future__ import annotations

from tests.support.engine_scenarios.provider import Fault
from tests.support.engine_scenarios.scenario import (
    Scenario,
    destroy,
    json_of,
    preview,
    program,
    refresh,
    up,
)

TRIO = """
a = Thing("a", value="VALUE")
b = Thing("b", value=a.shout)
c = Thing("c", value=b.shout)
export("a", a.shout)
export("c", c.shout)
"""

SCENARIOS = (
    Scenario(
        name="failed_create",
        story="A create that fails keeps what was made before; the next update goes on there.",
        steps=(
            program(TRIO),
            Fault(method="Create", name="b", message="quota of b exceeded"),
            up(),
            json_of("stack", "output", "--json"),
            up(),
            json_of("stack", "history", "--json"),
        ),
    ),
    Scenario(
        name="failed_update",
        story="An update that fails keeps the old state of its resource, and nothing is deleted.",
        ordered=False,
        steps=(
            program(TRIO + 'Thing("gone", value=1)\n'),
            up(),
            program(TRIO.replace("VALUE", "other")),
            Fault(method="Update", name="b", message="b cannot be changed now"),
            up(),
            up(),
        ),
    ),
    Scenario(
        name="failed_delete",
        story="A delete that fails keeps its resource; the next update deletes it.",
        steps=(
            program(TRIO),
            up(),
            program('a = Thing("a", value="VALUE")'),
            Fault(method="Delete", name="b", message="b is still in use"),
            up(),
            up(),
        ),
    ),
    Scenario(
        name="failed_destroy",
        story="A destroy that fails keeps what it could not delete; the next one finishes.",
        steps=(
            program(TRIO),
            up(),
            Fault(method="Delete", name="b", message="b is still in use"),
            destroy(),
            destroy(),
        ),
    ),
    Scenario(
        name="partial_create",
        story="A resource made but not ready is kept with its reasons and updated by the next run.",
        steps=(
            program(TRIO),
            Fault(
                method="Create", name="b", message="b is not ready", partial=("no quorum", "slow")
            ),
            up(),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="partial_update",
        story="A partly failed update keeps the new outputs, and the next run updates again.",
        steps=(
            program(TRIO),
            up(),
            program(TRIO.replace("VALUE", "other")),
            Fault(method="Update", name="a", message="a is not ready", partial=("no quorum",)),
            up(),
            up(),
        ),
    ),
    Scenario(
        name="check_refuses",
        story="A property the provider refuses fails preview and update, before any create.",
        steps=(program('Thing("a", invalid={"x": 1})'), preview(), up()),
    ),
    Scenario(
        name="failed_diff",
        story="A diff that fails stops the update there.",
        steps=(
            program('Thing("a", value=1)'),
            up(),
            program('Thing("a", value=2)'),
            Fault(method="Diff", name="a", message="the cloud does not answer"),
            up(),
        ),
    ),
    Scenario(
        name="program_raises",
        story="A program that raises keeps what was made and exported before; nothing is deleted.",
        ordered=False,
        steps=(
            program('a = Thing("a", value=1)\nexport("a", "kept")\nThing("old", value=1)'),
            up(),
            program(
                'a = Thing("a", value=2)\nexport("b", "new")\nraise ValueError("no such model")'
            ),
            preview(),
            up(),
            json_of("stack", "output", "--json"),
        ),
    ),
    Scenario(
        name="program_refuses",
        story="A RunError is told without a traceback.",
        steps=(
            program('raise pulumi.RunError("canary_size 60 percent is above 50")'),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="program_exits",
        story="A program that exits with a code of its own fails the update.",
        steps=(program("import sys\nsys.exit(3)"), up()),
    ),
    Scenario(
        name="program_speaks",
        story="Log calls and prints of the program are diagnostics.",
        steps=(
            program("""
            a = Thing("a", value=1)
            pulumi.log.info("about a", resource=a)
            pulumi.log.warn("a warning")
            print("printed")
            """),
            up(),
        ),
    ),
    Scenario(
        name="program_logs_error",
        story="An error that the program only logs does not fail the update.",
        steps=(program('Thing("a", value=1)\npulumi.log.error("this is wrong")'), up()),
    ),
    Scenario(
        name="apply_raises",
        story="An exception inside an apply fails the program.",
        steps=(
            program("""
            def refuse(shout):
                raise ValueError(f"no {shout}")

            a = Thing("a", value=1)
            export("late", a.shout.apply(refuse))
            """),
            up(),
        ),
    ),
    Scenario(
        name="duplicate_urn",
        story="Two resources of one name are refused.",
        steps=(
            program(
                'a = Thing("a", value=1)\nThing("a", ResourceOptions(depends_on=[a]), value=2)'
            ),
            preview(),
        ),
    ),
    Scenario(
        name="invoke_refused",
        story="A function that the provider refuses fails the program.",
        steps=(
            program('pulumi.runtime.invoke("test:index:refuse", {"key": "k"})'),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="invoke_breaks",
        story="A function that breaks fails the program.",
        steps=(program('pulumi.runtime.invoke("test:index:break", {"key": "k"})'), preview()),
    ),
    Scenario(
        name="failed_refresh",
        story="A read that fails stops the refresh.",
        steps=(
            program('Thing("a", value=1)'),
            up(),
            Fault(method="Read", name="a", message="the cloud does not answer"),
            refresh(),
        ),
    ),
)
