"""Scenarios of secrets: in configuration, inputs, outputs, state and printed text."""

from __future__ import annotations

from tests.support.engine_scenarios.scenario import (
    Scenario,
    json_of,
    preview,
    program,
    quiet,
    text,
    up,
)

SECRETS = """
config = pulumi.Config()
a = Thing("a", value=config.require_secret("key"), token="t")
b = Thing("b", nested={"list": [Output.secret("inner"), "plain"], "word": "open"})
c = Thing("c", value=a.shout)
export("value", a.value)
export("credential", a.credential)
export("nested", b.nested)
export("open", c.name)
"""

SCENARIOS = (
    Scenario(
        name="secrets",
        story="Secrets stay secret from configuration through inputs and outputs into state.",
        ordered=False,
        steps=(
            program(SECRETS),
            quiet("config", "set", "--secret", "key", "hush"),
            preview(),
            up(),
            up("--expect-no-changes"),
            json_of("stack", "output", "--json"),
            json_of("stack", "output", "--json", "--show-secrets"),
            text("stack", "output", "value"),
            quiet("config", "set", "--secret", "key", "other"),
            up(),
        ),
    ),
    Scenario(
        name="secret_becomes_plain",
        story="Making a value secret, and plain again, changes the state and not the resource.",
        steps=(
            program('Thing("a", value="x")'),
            up(),
            program('Thing("a", value=Output.secret("x"))'),
            up(),
            program('Thing("a", value="x")'),
            up(),
        ),
    ),
    Scenario(
        name="missing_config",
        story="A required key that is not set fails the program and names the key.",
        steps=(program('pulumi.Config().require("absent")'), preview()),
    ),
    Scenario(
        name="wrong_passphrase",
        story="The wrong passphrase, and none, stop an operation before it starts.",
        steps=(
            program('export("hidden", Output.secret("x"))'),
            up(),
            quiet(
                "up", "--yes", "--skip-preview", environment={"PULUMI_CONFIG_PASSPHRASE": "wrong"}
            ),
            quiet("preview", environment={"PULUMI_CONFIG_PASSPHRASE": None}),
            quiet(
                "stack",
                "output",
                "--show-secrets",
                environment={"PULUMI_CONFIG_PASSPHRASE": "wrong"},
            ),
        ),
    ),
    Scenario(
        name="config_commands",
        story="Values are set, read and removed by key and by path, secret or plain.",
        steps=(
            quiet("config", "set", "plain", "one"),
            quiet("config", "set", "--path", "deployment.canarySize.value", "10"),
            quiet("config", "set", "--path", "names[0]", "first", "--plaintext"),
            quiet("config", "set", "--path", "names[1]", "hush", "--secret"),
            quiet("config", "set", "--secret", "key", "--", "-dashed"),
            quiet("config", "set", "other:key", "true"),
            json_of("config", "--json"),
            json_of("config", "--show-secrets", "--json"),
            json_of("config", "get", "key", "--json"),
            json_of("config", "get", "--path", "deployment.canarySize", "--json"),
            text("config", "get", "plain"),
            text("config", "get", "key"),
            text("config", "get", "absent"),
            quiet("config", "rm", "plain"),
            quiet("config", "rm", "--path", "deployment.canarySize"),
            quiet("config", "set-all", "--plaintext", "a=1", "--secret", "b=2"),
            json_of("config", "--show-secrets", "--json"),
            program("""
            config = pulumi.Config()
            export("deployment", config.get_object("deployment"))
            export("names", config.get_secret_object("names"))
            export("a", config.get_int("a"))
            export("key", config.get("key"))
            """),
            up(),
        ),
    ),
)
