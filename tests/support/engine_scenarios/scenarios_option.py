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

ALIASED = """
group = Group("group")
a = Thing("renamed", ResourceOptions(aliases=[pulumi.Alias(name="a")]), value=1)
top = pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)
b = Thing("b", ResourceOptions(parent=group, aliases=[top]), value=a.shout)
plain = pulumi.Alias(type_="test:index:Thing")
c = Thing("c", ResourceOptions(aliases=[plain]), kind="test:index:Detailed", value=2)
"""

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
        name="replace_on_changes",
        story="A property named in replaceOnChanges replaces although the provider would update.",
        steps=(
            program('Thing("a", ResourceOptions(replace_on_changes=["value"]), value=1, other=1)'),
            up(),
            program('Thing("a", ResourceOptions(replace_on_changes=["value"]), value=1, other=2)'),
            up(),
            program('Thing("a", ResourceOptions(replace_on_changes=["value"]), value=2, other=2)'),
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
        name="deleted_with",
        story="A resource that is deleted with another is not deleted on its own.",
        steps=(
            program("""
            a = Thing("a", value=1)
            b = Thing("b", ResourceOptions(deleted_with=a), value=1)
            """),
            up(),
            program('a = Thing("a", value=1)'),
            up(),
            program("""
            a = Thing("a", value=1)
            b = Thing("b", ResourceOptions(deleted_with=a), value=1)
            """),
            up(),
            destroy(),
        ),
    ),
    Scenario(
        name="aliases",
        story="A renamed, a reparented and a retyped resource keep their history.",
        ordered=False,
        steps=(
            program("""
            a = Thing("a", value=1)
            b = Thing("b", value=a.shout)
            c = Thing("c", value=2)
            """),
            up(),
            program(ALIASED),
            preview(),
            up(),
            up("--expect-no-changes"),
        ),
    ),
    Scenario(
        name="alias_component",
        story="A renamed component brings its children along.",
        ordered=False,
        steps=(
            program("""
            group = Group("group")
            Thing("group-a", ResourceOptions(parent=group), value=1)
            Thing("other", ResourceOptions(parent=group), value=1)
            """),
            up(),
            program("""
            group = Group("team", ResourceOptions(aliases=[pulumi.Alias(name="group")]))
            Thing("team-a", ResourceOptions(parent=group), value=1)
            Thing("other", ResourceOptions(parent=group), value=1)
            """),
            up(),
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
        name="import_option",
        story="An existing resource is imported, then is an ordinary one.",
        steps=(
            Exists(identity="there-1", inputs={"name": "there", "value": 1}),
            program('Thing("a", ResourceOptions(import_="there-1"), name="there", value=1)'),
            preview(),
            up(),
            up("--expect-no-changes"),
            program('Thing("a", name="there", value=2)'),
            up(),
        ),
    ),
    Scenario(
        name="import_differs",
        story="An import that differs from the program is updated in the same run.",
        steps=(
            Exists(identity="there-1", inputs={"name": "there", "value": 1}),
            program('Thing("a", ResourceOptions(import_="there-1"), name="there", value=2)'),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="import_missing",
        story="An import of what is not there fails.",
        steps=(program('Thing("a", ResourceOptions(import_="nowhere"), value=1)'), preview(), up()),
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
