"""The command line: what the Automation API sends is read, the rest is refused by name."""

from __future__ import annotations

import pytest

from rehearsal.engine.argv import parse
from rehearsal.engine.errors import EngineError

AUTOMATION = [
    "--non-interactive version",
    "--non-interactive stack select --stack N",
    "--non-interactive stack init N --secrets-provider passphrase --no-select",
    "--non-interactive stack rm --yes --force N",
    "--non-interactive stack ls --json",
    "--non-interactive config get --path KEY --json --stack N",
    "--non-interactive config --show-secrets --json --stack N",
    "--non-interactive config set --path KEY --secret --stack N --non-interactive -- -VALUE",
    "--non-interactive config set-all --stack N --path --secret a=b --plaintext c=d",
    "--non-interactive config rm KEY --stack N --path",
    "--non-interactive whoami --json",
    "--non-interactive plugin ls --json",
    "--non-interactive install --no-plugins --no-dependencies",
    "--non-interactive stack export --show-secrets --stack N",
    "--non-interactive stack import --file TMP --stack N",
    "--non-interactive stack output --json --show-secrets --stack N",
    "--non-interactive stack history --json --show-secrets --page-size 1 --page 1 --stack N",
    "--non-interactive cancel --yes --stack N",
    "--non-interactive up --yes --skip-preview --message m --expect-no-changes "
    "--parallel 4 --color never --refresh --client=127.0.0.1:1 --exec-kind auto.inline "
    "--event-log tcp://127.0.0.1:1 --stack N",
    "--non-interactive preview --message m --client=127.0.0.1:1 --exec-kind auto.local "
    "--event-log X --stack N",
    "--non-interactive refresh --preview-only --stack N",
    "--non-interactive destroy --skip-preview --yes --stack N",
]


@pytest.mark.parametrize("line", AUTOMATION)
def test_command_lines_of_the_automation_api_are_read(line: str) -> None:
    command = parse(line.split())

    assert command.on("non-interactive")
    assert line.removeprefix("--non-interactive ").startswith(command.name)


def test_global_flags_stand_before_or_after_the_command() -> None:
    before = parse(["-s", "dev", "-C", "/x", "--color=never", "stack", "output", "a"])
    after = parse(["stack", "output", "a", "--stack=dev", "--cwd", "/x", "--color", "never"])

    assert before.flags == after.flags == {"stack": "dev", "cwd": "/x", "color": "never"}
    assert before.arguments == ("a",)


def test_values_after_two_dashes_are_never_flags() -> None:
    command = parse(["config", "set", "k", "--plaintext", "--", "--secret"])

    assert command.arguments == ("k", "--secret")
    assert not command.on("secret")


def test_repeated_attached_and_optional_flags_are_understood() -> None:
    command = parse(["up", "-y", "-f", "-mc", "-r", "-p=3"])
    several = parse(["config", "set-all", "--plaintext", "a=1", "--plaintext=b=2"])

    assert several.flags["plaintext"] == ["a=1", "b=2"]
    assert command.text("message") == "c"
    assert command.on("yes")
    assert command.on("skip-preview")
    assert command.on("refresh")
    assert command.text("parallel") == "3"
    assert not parse(["up", "--refresh=false"]).on("refresh")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bogus", 'unknown command "bogus" for "pulumi"\n'),
        ("stack bogus", 'unknown command "bogus" for "pulumi stack"\n'),
        ("stack --bogus", "unknown flag: --bogus"),
        ("up -Z", "unknown shorthand flag: -Z"),
        ("up --stack", "flag needs an argument: --stack"),
        ("up --plan p", "--plan of `pulumi up` is not supported by the rehearsal engine"),
        ("up --policy-pack=p", "--policy-pack of `pulumi up` is not supported"),
        ("preview --exclude u", "--exclude of `pulumi preview` is not supported"),
        ("preview --remote", "--remote of `pulumi preview` is not supported"),
        ("stack", "`pulumi stack` needs one of its commands: stack init, "),
        ("up --tracing=t", "--tracing of `pulumi up` is not supported"),
        ("up --target u", "--target of `pulumi up` is not supported"),
        ("up -t u", "--target of `pulumi up` is not supported"),
        ("preview --json", "--json of `pulumi preview` is not supported"),
        ("preview --diff", "--diff of `pulumi preview` is not supported"),
        ("-v 9 up", "--verbose of `pulumi` is not supported"),
        ("update", "`pulumi update` is not supported"),
        ("stack rename new", "`pulumi stack rename` is not supported"),
        ("stack tag ls", "`pulumi stack tag` is not supported"),
        ("config rm-all a", "`pulumi config rm-all` is not supported"),
        ("import a b c", "`pulumi import` is not supported by the rehearsal engine, use the off"),
        ("org get-default", "`pulumi org` is not supported"),
        ("config env ls", "`pulumi config env` is not supported"),
        ("plugin install resource aws v1", "`pulumi plugin install` is not supported"),
        ("logout", "`pulumi logout` is not supported"),
        ("state", "`pulumi state` needs one of its commands: state delete, state"),
    ],
)
def test_what_is_not_done_is_refused_by_name(line: str, message: str) -> None:
    with pytest.raises(EngineError) as failure:
        parse(line.split())

    assert str(failure.value).startswith(message)


def test_switch_with_a_strange_value_is_refused() -> None:
    for given in ("--yes=maybe", "-yf"):
        with pytest.raises(EngineError, match="--yes; use true or false"):
            parse(["up", given]).on("yes")
