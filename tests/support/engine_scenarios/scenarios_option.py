"""Scenarios of resource options, one or two each."""

from __future__ import annotations

from tests.support.engine_scenarios.scenario import (
    Exists,
    Scenario,
    destroy,
    preview,
    program,
    up,
)

SCENARIOS = (
    Scenario(
        name="protect_delete",
        story="A protected resource is neither dropped nor destroyed; unprotected, it is.",
        ordered=False,
        steps=(
            program('Thing("a", ResourceOptions(protect=True), value=1)\nThing("b", value=1)'),
            up(),
            program('Thing("b", value=1)'),
            preview(),
            up(),
            destroy(),
            program('Thing("a", value=1)\nThing("b", value=1)'),
            up(),
            destroy(),
        ),
    ),
    Scenario(
        name="protect_replace",
        story="A protected resource is not replaced.",
        steps=(
            program('Thing("a", ResourceOptions(protect=True), fixed=1)'),
            up(),
            program('Thing("a", ResourceOptions(protect=True), fixed=2)'),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="protect_inherited",
        story="Children of a protected component are protected.",
        ordered=False,
        steps=(
            program(
                'group = Group("group", ResourceOptions(protect=True))\n'
                'Thing("a", ResourceOptions(parent=group), value=1)\n'
                'Thing("b", ResourceOptions(parent=group, protect=False), value=1)'
            ),
            up(),
        ),
    ),
    Scenario(
        name="ignore_changes",
        story="Ignored paths keep their old inputs, also inside objects.",
        steps=(
            program('Thing("a", value=1, tags={"x": "1", "y": "1"})'),
            up(),
            program(
                'Thing("a", ResourceOptions(ignore_changes=["value", "tags.x"]), value=2, '
                'tags={"x": "2", "y": "2"})'
            ),
            preview(),
            up(),
            program(
                'Thing("a", ResourceOptions(ignore_changes=["value", "tags"]), value=3, '
                'tags={"x": "3", "z": "3"})'
            ),
            up(),
        ),
    ),
    Scenario(
        name="retain_on_delete",
        story="A retained resource leaves the state without a delete, replaced or dropped.",
        ordered=False,
        steps=(
            program(
                'Thing("a", ResourceOptions(retain_on_delete=True), fixed=1)\nThing("b", value=1)'
            ),
            up(),
            program(
                'Thing("a", ResourceOptions(retain_on_delete=True), fixed=2)\nThing("b", value=1)'
            ),
            up(),
            program('Thing("b", value=1)'),
            up(),
        ),
    ),
    Scenario(
        name="depends_on",
        story="depends_on alone, also on a component, orders the deletes.",
        steps=(
            program("""
            a = Thing("a", value=1)
            group = Group("group", ResourceOptions(depends_on=[a]))
            b = Thing("b", ResourceOptions(parent=group, depends_on=[a]), value=1)
            c = Thing("c", ResourceOptions(depends_on=[group]), value=1)
            """),
            up(),
            destroy(),
        ),
    ),
    Scenario(
        name="additional_secret_outputs",
        story="Named outputs become secrets in the state, and what is made of them too.",
        steps=(
            program("""
            a = Thing("a", ResourceOptions(additional_secret_outputs=["shout"]), value="x")
            b = Thing("b", value=a.shout)
            export("shout", a.shout)
            """),
            up(),
        ),
    ),
    Scenario(
        name="custom_timeouts",
        story="Timeouts are told to the provider in seconds and kept.",
        steps=(
            program(
                'times = pulumi.CustomTimeouts(create="5m", update="1h30m", delete="10s")\n'
                'Thing("a", ResourceOptions(custom_timeouts=times), value=1)'
            ),
            up(),
            program(
                'times = pulumi.CustomTimeouts(create="5m", update="1h30m", delete="10s")\n'
                'Thing("a", ResourceOptions(custom_timeouts=times), value=2)'
            ),
            up(),
            destroy(),
        ),
    ),
    Scenario(
        name="read_existing",
        story="A resource that is only read becomes an ordinary one, and goes.",
        steps=(
            Exists(identity="there-1", inputs={"name": "there", "value": "x"}),
            program('a = Thing("a", ResourceOptions(id="there-1"))\nexport("shout", a.shout)'),
            preview(),
            up(),
            program('a = Thing("a", name="there", value="x")'),
            up(),
            program('export("nothing", 1)'),
            up(),
        ),
    ),
    Scenario(
        name="read_dropped",
        story="A resource that was only read is discarded when it leaves the program.",
        steps=(
            Exists(identity="there-1", inputs={"name": "there", "value": "x"}),
            program('a = Thing("a", ResourceOptions(id="there-1"))'),
            up(),
            program('export("nothing", 1)'),
            up(),
        ),
    ),
)
