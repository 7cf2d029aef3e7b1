"""The command documents itself, starts light, and ends with the exit code of what went wrong."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from automation import cli
from automation.driver import ROOT
from automation.errors import EXIT_CODES

VERBS = (
    "package",
    "edge",
    "preview",
    "up",
    "status",
    "watch",
    "revert",
    "destroy",
    "invoke",
    "rehearsal",
)
HEAVY = ("pulumi", "boto3", "numpy", "sklearn", "onnxruntime", "requests", "yaml", "grpc")


def test_the_command_has_exactly_its_verbs() -> None:
    group = typer.main.get_command(cli.app)

    assert isinstance(group, typer.core.TyperGroup)
    assert sorted(group.commands) == sorted(VERBS)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "rehearsal"])
def test_every_verb_and_every_parameter_is_documented(verb: str) -> None:
    command = typer.main.get_command(cli.app).commands[verb]  # type: ignore[attr-defined]

    assert command.help
    for parameter in command.params:
        assert parameter.help, f"{verb} {parameter.name} has no help"
    assert CliRunner().invoke(cli.app, [verb, "--help"]).exit_code == 0


def test_the_help_and_the_documents_name_every_exit_code() -> None:
    told = " ".join(CliRunner().invoke(cli.app, ["--help"]).output.split())
    table = (ROOT / "docs" / "commands.md").read_text().partition("## Exit codes")[2]
    documented = [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]

    for code in (0, *EXIT_CODES.values()):
        assert f" {code} " in told
    assert documented == sorted({0, *EXIT_CODES.values(), cli.INTERRUPTED})


def test_the_help_loads_nothing_heavy() -> None:
    source = f"import sys, automation.cli\nprint([name for name in {HEAVY} if name in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("verb", ["up", "preview", "status", "watch", "revert", "destroy"])
def test_without_an_engine_every_verb_ends_with_the_way_to_get_one(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    result = CliRunner().invoke(cli.app, [verb, "iris"])

    assert result.exit_code == 5
    assert "greenlight rehearsal run --" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["package", "fraud"], 3, "models with one are iris, wine"),
        (["package", "iris", "--estimator", "svm"], 2, "allowed are random-forest"),
        (["package", "iris", "--from", "x.h5"], 2, "allowed are a file (.skops, .joblib, .pkl"),
        (["package", "iris", "--from", "no.skops"], 2, "'no.skops' does not exist"),
        (["package", "iris", "--runtime", "torch"], 2, "allowed are onnx, sklearn"),
        (["package", "iris", "-e", "x", "--from", "s3://b-1/x.skops"], 2, "give one of the two"),
        (["package", "iris", "--rows", "README.md"], 2, "proves a model from elsewhere"),
        (["package", "iris", "--rows", "no.csv"], 2, "'no.csv' does not exist"),
        (["up", "iris", "--stage", "test"], 2, "allowed are dev, prod"),
        (["up", "iris", "--artifact", "no"], 2, "'no' does not exist"),
        (["edge", "iris", "-e", "x", "--artifact", "models"], 2, "give one of the two"),
        (["edge", "iris", "--artifact", "models"], 4, "holds no model.tar.gz"),
        (["invoke", "iris", "--row", "1", "--file", "README.md"], 2, "give one of the two"),
        (["invoke", "iris", "--row", '1,"x'], 2, "is not comma-separated values"),
        (["up", "iris", "--no-such-option"], 2, "No such option"),
    ],
)
def test_an_error_is_one_message_and_an_exit_code(
    arguments: list[str], code: int, message: str
) -> None:
    result = CliRunner().invoke(cli.app, arguments)

    assert result.exit_code == code
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_wrong_version_of_a_component_is_refused_before_its_model_is_packaged() -> None:
    result = CliRunner().invoke(cli.app, ["edge", "iris", "--version", "1"])

    assert result.exit_code == 2
    assert " ".join(result.output.split()).startswith("error: version '1' is no semantic version")
