"""Scenarios of ordinary life: create, same, update, delete, components, providers, functions."""

from __future__ import annotations

from tests.support.engine_scenarios.scenario import (
    Scenario,
    Write,
    destroy,
    json_of,
    preview,
    program,
    text,
    up,
)

CHAIN = """
a = Thing("a", value="one", tags={"team": "ml", "sizes": [1, 2.5, True, None]})
b = Thing("b", value=a.shout)
export("shout", b.shout)
export("identity", b.id)
export("table", {"names": [a.name, b.name], "serial": a.serial})
"""

COMPONENT = """
group = Group("group")
inner = Group("inner", ResourceOptions(parent=group), kind="my:index:Inner")
a = Thing("a", ResourceOptions(parent=inner), value="one")
b = Thing("b", ResourceOptions(parent=group, depends_on=[inner]), value="SECOND")
inner.register_outputs({"shout": a.shout})
group.register_outputs({"shout": b.shout, "inner": {"size": 1}})
export("urn", group.urn)
"""

REGIONS = """
region = Region("region", region="REGION", options={"retries": 3, "fast": True})
a = Thing("a", ResourceOptions(provider=region), value="one")
group = Group("group", ResourceOptions(providers={"test": region}))
b = Thing("b", ResourceOptions(parent=group, depends_on=[a]), value="two")
"""

DYNAMIC = """
from rows import Row
row = Row("row", "VALUE")
export("stored", row.stored)
"""

ASSETS = """
packed = pulumi.FileArchive("./packed.zip")
held = pulumi.StringAsset("text")
a = Thing("a", source=pulumi.FileAsset("./one.txt"), packed=packed, held=held)
"""

ROWS = """
import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


class RowProvider(ResourceProvider):
    def create(self, props):
        if props["value"] == "refused":
            raise RuntimeError("the row was refused")
        return CreateResult(id_="row-1", outs={**props, "stored": props["value"] + " stored"})

    def diff(self, id_, olds, news):
        return DiffResult(changes=olds["value"] != news["value"])

    def update(self, id_, olds, news):
        if news["value"] == "refused":
            raise RuntimeError("the row was refused")
        return UpdateResult(outs={**news, "stored": news["value"] + " stored again"})

    def delete(self, id_, props):
        pass


class Row(Resource, module="table", name="Row"):
    stored: pulumi.Output[str]

    def __init__(self, name, value, opts=None):
        super().__init__(RowProvider(), name, {"value": value, "stored": None}, opts)
"""

SCENARIOS = (
    Scenario(
        name="create",
        story="A first preview and update create a chain of things; outputs and resources follow.",
        steps=(
            program(CHAIN),
            preview(),
            up(),
            json_of("stack", "output", "--json"),
            text("stack", "output", "shout"),
        ),
    ),
    Scenario(
        name="no_change",
        story="The same program again changes nothing, and says so also to --expect-no-changes.",
        steps=(program(CHAIN), up(), preview("--expect-no-changes"), up("--expect-no-changes")),
    ),
    Scenario(
        name="expect_no_changes",
        story="--expect-no-changes ends with its own exit code when something would change.",
        steps=(
            program('Thing("a", value=1)'),
            up(),
            program('Thing("a", value=2)'),
            preview("--expect-no-changes"),
            up("--expect-no-changes"),
        ),
    ),
    Scenario(
        name="update_in_place",
        story="A changed property updates its resource in place, and what depends on it follows.",
        steps=(
            program(CHAIN),
            up(),
            program(CHAIN.replace('"one"', '"two"')),
            preview(),
            up(),
            json_of("stack", "output", "--json"),
        ),
    ),
    Scenario(
        name="delete_removed",
        story="Things that left the program are deleted at the end, dependents first.",
        steps=(
            program(CHAIN + 'Thing("c", value=b.shout, fixed=1)\n'),
            up(),
            program('Thing("a", value="one", tags={"team": "ml"})'),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="destroy",
        story="Destroy deletes in reverse order of dependency and leaves an empty stack behind.",
        steps=(program(CHAIN), up(), destroy("--preview-only"), destroy(), destroy()),
    ),
    Scenario(
        name="stack_outputs",
        story="Outputs change, go and come even when no resource changes.",
        steps=(
            program('export("a", 1)\nexport("b", {"c": [1, None]})'),
            up(),
            program('export("b", {"c": [2]})\nexport("d", Output.secret("hidden"))'),
            up(),
            json_of("stack", "output", "--json"),
        ),
    ),
    Scenario(
        name="component",
        story="Components hold children and outputs of their own; destroy takes children first.",
        steps=(
            program(COMPONENT),
            preview(),
            up(),
            program(COMPONENT.replace("SECOND", "changed")),
            up(),
            destroy(),
        ),
    ),
    Scenario(
        name="explicit_provider",
        story="An explicit provider is updated with its things kept, and serves components.",
        steps=(
            program(REGIONS.replace("REGION", "north")),
            preview(),
            up(),
            program(REGIONS.replace("REGION", "north").replace('"retries": 3', '"retries": 4')),
            up(),
            destroy(),
        ),
    ),
    Scenario(
        name="provider_replaced",
        story="A provider that must be replaced takes its things with it.",
        steps=(
            program(REGIONS.replace("REGION", "north")),
            up(),
            program(REGIONS.replace("REGION", "south")),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="provider_refuses_config",
        story="A configuration the provider refuses stops the update before any of its things.",
        steps=(program(REGIONS.replace("REGION", "nowhere")), preview(), up()),
    ),
    Scenario(
        name="default_provider_config",
        story="Package configuration and the resource's version make the default provider.",
        ordered=False,
        steps=(
            Write(
                path="project/Pulumi.dev.yaml",
                text="encryptionsalt: {salt}\nconfig:\n"
                "  test:region: north\n  test:options: {a: [1, true]}\n",
            ),
            program('Thing("a", ResourceOptions(version="1.2.3"), value=1)\nThing("b", value=2)'),
            up(),
            program('Thing("a", ResourceOptions(version="1.2.4"), value=1)\nThing("b", value=2)'),
            up(),
            destroy(),
        ),
    ),
    Scenario(
        name="invoke",
        story="Functions of the provider answer in preview and in an update.",
        steps=(
            program("""
            plain = pulumi.runtime.invoke("test:index:lookup", {"key": "k"}).value
            a = Thing("a", value=plain["found"])
            late = pulumi.runtime.invoke_output("test:index:lookup", {"key": a.shout})
            export("late", late.apply(lambda answer: answer["found"]))
            """),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="detailed_diff",
        story="A detailed diff says per property what an update or a replacement is for.",
        steps=(
            program('Thing("a", kind="test:index:Detailed", value=1, other=1)'),
            up(),
            program('Thing("a", kind="test:index:Detailed", value=2, extra=1)'),
            preview(),
            up(),
            program('Thing("a", kind="test:index:Detailed", value=2, extra=1, fixed=1)'),
            up(),
        ),
    ),
    Scenario(
        name="unknown_diff",
        story="A provider that cannot say whether there is a difference leaves it to the inputs.",
        steps=(
            program('Thing("a", opaque=1)'),
            up(),
            program('Thing("a", opaque=2)'),
            up(),
        ),
    ),
    Scenario(
        name="assets",
        story="Assets and archives are compared by what they hold, not by where they lie.",
        steps=(
            Write(path="project/one.txt", text="first"),
            Write(path="project/packed.zip", text="a"),
            program(ASSETS),
            up(),
            Write(path="project/two.txt", text="first"),
            program(ASSETS.replace("one.txt", "two.txt")),
            up(),
            Write(path="project/packed.zip", text="changed"),
            preview(),
            up(),
        ),
    ),
    Scenario(
        name="dynamic_provider",
        story="A dynamic resource of a module of the project is created, updated and deleted.",
        steps=(
            Write(path="project/rows.py", text=ROWS),
            program(DYNAMIC.replace("VALUE", "first")),
            preview(),
            up(),
            program(DYNAMIC.replace("VALUE", "second")),
            up(),
            up("--expect-no-changes"),
            destroy(),
        ),
    ),
    Scenario(
        name="dynamic_provider_raises",
        story="A dynamic provider that raises fails its step with the text of the exception.",
        steps=(
            Write(path="project/rows.py", text=ROWS),
            program(DYNAMIC.replace("VALUE", "refused")),
            up(),
            program(DYNAMIC.replace("VALUE", "first")),
            up(),
            program(DYNAMIC.replace("VALUE", "refused")),
            up(),
        ),
    ),
)
