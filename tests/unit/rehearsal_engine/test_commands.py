"""The small commands, run in this process over a folder of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.__main__ import main
from rehearsal.engine.state import Deployment, Resource, deployment_to_json, hidden_secret
from rehearsal.engine.values import Secret

# Answers exit code, stdout and stderr.
Pulumi = Callable[..., tuple[int, str, str]]
STACK = "urn:pulumi:dev::p5::pulumi:pulumi:Stack::p5-dev"
A, B = (f"urn:pulumi:dev::p5::test:index:Res::{name}" for name in "ab")


@pytest.fixture
def pulumi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Pulumi:
    for name in [name for name in os.environ if name.startswith("PULUMI_")]:
        monkeypatch.delenv(name)
    for folder in ("state", "home", "project"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "rehearsal")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.chdir(tmp_path / "project")
    Path("Pulumi.yaml").write_text("name: p5\nruntime: python\n")

    def run(*argv: str) -> tuple[int, str, str]:
        code = main([*argv, "--non-interactive"] if "--" not in argv else argv)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def put_resources(pulumi: Pulumi, tmp_path: Path) -> None:
    """Import a state with a protected resource, one that needs it, and outputs."""
    deployment = Deployment(
        resources=[
            Resource(
                urn=STACK,
                type="pulumi:pulumi:Stack",
                custom=False,
                outputs={"plain": {"n": 1}, "hidden": Secret("hush"), "text": "t"},
            ),
            Resource(urn=A, type="test:index:Res", custom=True, id="1", protect=True),
            Resource(urn=B, type="test:index:Res", custom=True, id="2", dependencies=[A]),
        ]
    )

    def readable(text: str, place: str) -> Any:
        return {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"} | {
            "plaintext": text
        }

    document = deployment_to_json(deployment, readable, secrets_provider=None)
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"version": 3, "deployment": document}))
    assert pulumi("stack", "import", "--file", str(file)) == (0, "Import complete.\n", "")


def test_stacks_are_made_chosen_listed_and_removed(pulumi: Pulumi) -> None:
    assert pulumi("stack", "init", "dev") == (0, "", "Created stack 'dev'\n")
    exists = "error: stack 'organization/p5/dev' already exists\n"
    assert pulumi("stack", "init", "organization/p5/dev") == (1, "", exists)
    assert pulumi("stack", "init", "other", "--no-select")[0] == 0
    assert pulumi("stack", "select", "absent") == (6, "", "error: no stack named 'absent' found\n")

    listed = json.loads(pulumi("stack", "ls", "--json")[1])
    assert [(s["name"], s["current"], s["resourceCount"]) for s in listed] == [
        ("dev", True, 0),
        ("other", False, 0),
    ]
    assert pulumi("stack", "ls")[1].splitlines()[1].startswith("dev*   20")
    assert pulumi("stack", "rm", "other") == (
        1,
        "",
        "error: non-interactive mode requires --yes flag\n",
    )
    assert Path("Pulumi.dev.yaml").is_file()
    assert pulumi("stack", "rm", "dev", "--yes")[1] == "Stack 'dev' has been removed!\n"
    assert not Path("Pulumi.dev.yaml").exists()
    assert "no stack selected; please use `pulumi stack select`" in pulumi("stack", "output")[2]


def test_configuration_is_set_read_and_removed(pulumi: Pulumi) -> None:
    pulumi("stack", "init", "dev")
    assert pulumi("config", "set", "a", "1", "--plaintext")[0] == 0
    assert pulumi("config", "set", "--path", "o.s", "--secret", "--", "-x")[0] == 0
    pulumi("config", "set-all", "--plaintext", "q=1=2", "--secret", "aws:key=k")

    assert pulumi("config")[1].splitlines() == [
        "KEY      VALUE",
        "aws:key  [secret]",
        "a        1",
        'o        {"s":"[secret]"}',
        "q        1=2",
    ]
    hidden = json.loads(pulumi("config", "--json")[1])
    assert hidden["p5:o"] == {"secret": True}
    assert hidden["p5:a"] == {"value": "1", "secret": False}
    told = json.loads(pulumi("config", "--show-secrets", "--json")[1])
    assert told["p5:o"] == {"value": '{"s":"-x"}', "objectValue": {"s": "-x"}, "secret": True}
    assert pulumi("config", "get", "aws:key")[1] == "k\n"
    assert pulumi("config", "get", "--path", "o.s")[1] == "-x\n"
    assert pulumi("config", "rm", "q")[0] == 0
    missing = "error: configuration key 'q' not found for stack 'dev'\n"
    assert pulumi("config", "get", "q") == (1, "", missing)
    assert pulumi("config", "set-all", "--plaintext", "q")[0] == 1


def test_outputs_are_told_with_and_without_their_secrets(pulumi: Pulumi, tmp_path: Path) -> None:
    pulumi("stack", "init", "dev")
    assert pulumi("stack", "output", "--json")[1] == "{}\n"
    put_resources(pulumi, tmp_path)

    masked = {"hidden": "[secret]", "plain": {"n": 1}, "text": "t"}
    assert json.loads(pulumi("stack", "output", "--json")[1]) == masked
    shown = json.loads(pulumi("stack", "output", "--json", "--show-secrets")[1])
    assert shown == {**masked, "hidden": "hush"}
    assert pulumi("stack", "output", "text")[1] == "t\n"
    assert pulumi("stack", "output", "plain")[1] == '{"n":1}\n'
    assert pulumi("stack", "output")[1] == (
        "Current stack outputs (3):\n    OUTPUT  VALUE\n    hidden  [secret]\n"
        '    plain   {"n":1}\n    text    t\n'
    )
    text = "error: current stack does not have output property 'x'\n"
    assert pulumi("stack", "output", "x") == (1, "", text)


def test_state_is_exported_sealed_or_readable_and_imported_again(
    pulumi: Pulumi, tmp_path: Path
) -> None:
    pulumi("stack", "init", "dev")
    put_resources(pulumi, tmp_path)

    sealed = json.loads(pulumi("stack", "export")[1])
    readable = json.loads(pulumi("stack", "export", "--show-secrets")[1])

    hidden, shown = (
        document["deployment"]["resources"][0]["outputs"]["hidden"]
        for document in (sealed, readable)
    )
    assert hidden["ciphertext"].startswith("v1:")
    assert shown["plaintext"] == '"hush"'
    file = tmp_path / "again.json"
    file.write_text(json.dumps(sealed))
    assert pulumi("stack", "import", "--file", str(file))[0] == 0
    again = json.loads(pulumi("stack", "export")[1])
    assert again["deployment"]["resources"] == sealed["deployment"]["resources"]


def test_state_that_is_not_the_stacks_is_refused(pulumi: Pulumi, tmp_path: Path) -> None:
    pulumi("stack", "init", "dev")
    resource = Resource(urn=STACK.replace("dev", "prod"), type="t", custom=False)
    document = deployment_to_json(
        Deployment(resources=[resource]), hidden_secret, secrets_provider=None
    )
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"version": 3, "deployment": document}))

    code, _, problem = pulumi("stack", "import", "--file", str(file))

    assert code == 1
    assert "is from a different stack (prod != dev)" in problem
    assert "rerun with --force" in problem
    for text in ("no json", '{"version": 4}'):
        file.write_text(text)
        assert pulumi("stack", "import", "--file", str(file))[0] == 1


def test_stack_with_resources_is_removed_only_by_force(pulumi: Pulumi, tmp_path: Path) -> None:
    pulumi("stack", "init", "dev")
    put_resources(pulumi, tmp_path)

    code, _, problem = pulumi("stack", "rm", "dev", "--yes")

    assert (code, problem.split(".")[0]) == (
        1,
        "error: 'dev' still has resources; removal rejected",
    )
    assert pulumi("stack", "rm", "dev", "--yes", "--force")[0] == 0


def test_resources_are_unprotected_and_deleted_from_the_state(
    pulumi: Pulumi, tmp_path: Path
) -> None:
    pulumi("stack", "init", "dev")
    put_resources(pulumi, tmp_path)

    assert f"pulumi state unprotect '{A}'" in pulumi("state", "delete", A, "--yes")[2]
    assert pulumi("state", "unprotect", A, "--yes")[1] == "Resource unprotected\n"
    assert f" * {B}" in pulumi("state", "delete", A, "--yes")[2]
    assert pulumi("state", "delete", B, "--yes")[1] == "Resource deleted\n"
    assert pulumi("state", "delete", A, "--yes")[1] == "Resource deleted\n"
    left = json.loads(pulumi("stack", "export")[1])["deployment"]["resources"]
    assert [resource["urn"] for resource in left] == [STACK]
    assert "names 0 resources" in pulumi("state", "delete", A, "--yes")[2]


def test_identity_plugins_and_cancel_answer(pulumi: Pulumi, tmp_path: Path) -> None:
    pulumi("stack", "init", "dev")

    assert json.loads(pulumi("whoami", "--json")[1])["url"] == f"file://{tmp_path}/state"
    assert pulumi("plugin", "ls", "--json")[1] == "[]\n"
    assert pulumi("version")[1] == "v3.272.0\n"
    assert "Nothing to install" in pulumi("install")[1]
    assert pulumi("cancel", "--yes")[1] == (
        "The currently running update for 'dev' has been canceled!\n"
    )
    assert pulumi("stack", "history", "--json")[1] == "[]\n"


def test_login_takes_folders_only_and_is_remembered(
    pulumi: Pulumi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    assert pulumi("whoami")[0] == 3
    assert pulumi("login", "https://api.pulumi.com")[0] == 3
    assert pulumi("login", f"file://{tmp_path}/absent")[0] == 3
    assert pulumi("login", f"file://{tmp_path}/state")[0] == 0
    assert json.loads(pulumi("whoami", "--json")[1])["url"] == f"file://{tmp_path}/state"


def test_operation_needs_an_answer_and_a_rehearsals_cloud(
    pulumi: Pulumi, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi("stack", "init", "dev")
    for verb, code in (("up", 2), ("destroy", 2), ("refresh", 1)):
        answer = pulumi(verb)
        assert answer[0] == code
        assert answer[2].startswith("error: --yes or --skip-preview or --preview-only must be")
    assert "AWS_ENDPOINT_URL is ''" in pulumi("up", "--yes")[2]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://sagemaker.eu-west-1.amazonaws.com")
    assert "a rehearsal's cloud only" in pulumi("preview")[2]


def test_operation_with_a_wrong_or_missing_passphrase_does_not_start(
    pulumi: Pulumi, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi("stack", "init", "dev")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")

    code, _, problem = pulumi("up", "--yes")

    assert (code, problem) == (
        1,
        "error: getting stack configuration: get stack secrets manager: incorrect passphrase\n",
    )
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    assert "passphrase must be set with" in pulumi("stack", "init", "x")[2]


def test_help_lists_what_there_is_and_nothing_that_is_refused(pulumi: Pulumi) -> None:
    code, commands, _ = pulumi("--help")
    assert (code, "  stack init\n" in commands, "import\n" in commands.split()) == (0, True, False)
    code, flags, _ = pulumi("preview", "--help")
    assert code == 0
    assert "event-log=" in flags
    assert "remote" not in flags
