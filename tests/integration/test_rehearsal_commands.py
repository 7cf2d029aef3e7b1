"""The rehearsal's commands as a person types them, against a rehearsal that runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import typer.main
from typer.testing import CliRunner, Result

from automation.rehearsal import app
from automation.rehearsal_faults import app as fault_app
from rehearsal import session as sessions
from tests.support.cloud import TINY_IMAGE

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tiny:1"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("rehearsal")
    result = typed(path, "start", "--clock", "manual", "--speed", "60", "--maximum-instances", "3")
    assert result.exit_code == 0, result.output
    yield path
    typed(path, "stop")


def typed(directory: Path, *words: str) -> Result:
    """Run a command; the directory goes behind the last sub-command."""
    return CliRunner().invoke(app, [*words, "--directory", str(directory)], env={"COLUMNS": "200"})


def said(result: Result) -> str:
    return " ".join(result.output.split())


def test_a_fault_is_set_listed_and_taken_back(directory: Path) -> None:
    added = typed(directory, "fault", "launch-failure", "--reason", "image", "--endpoint", "shop")
    fault_id = re.findall(r"fault-\d+", added.output)[0]

    listed = typed(directory, "fault", "list")
    cleared = typed(directory, "fault", "clear", fault_id)

    assert "the next launch fails (endpoint shop; reason image; used 0 of 1)" in said(added)
    assert f"greenlight rehearsal fault clear {fault_id}" in said(added)
    assert (fault_id in listed.output, "0 of 1" in listed.output) == (True, True)
    assert said(cleared) == f"cleared {fault_id}"
    assert "no fault is set" in said(typed(directory, "fault", "list"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["health-check-hang", "--config", "one"], "(endpoint_config one; as it is; used 0 of 1)"),
        (
            ["crash", "--after-requests", "5", "--times", "2"],
            "(anywhere; after_requests 5; used 0 of 2)",
        ),
        (
            ["latency", "250", "--share", "10"],
            "milliseconds 250, share_percent 10; used 0 times, until cleared",
        ),
        (["model-error", "--status", "503", "--until-cleared"], "status 503"),
        (["capacity", "--instance-type", "ml.m5.large"], "(instance_type ml.m5.large; available 0"),
        (
            ["quota", "ml.m5.large", "2"],
            "(instance_type ml.m5.large; limit 2; used 0 times, until cleared)",
        ),
        (
            ["throttle", "DescribeEndpoint"],
            "(operation DescribeEndpoint; share_percent 100; used 0 of 1)",
        ),
        (["silent-rollback", "--rolling-back-polls", "2"], "rolling_back_polls 2; used 0 of 1"),
    ],
)
def test_every_kind_of_fault_has_its_command(directory: Path, words: list[str], told: str) -> None:
    result = typed(directory, "fault", *words)

    assert result.exit_code == 0, result.output
    assert told in said(result)
    typed(directory, "fault", "clear")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fault", "launch-failure", "--reason", "rain"], "one of image, artifact, cannot-start"),
        (["fault", "clear", "fault-99"], "no fault 'fault-99'; there are none"),
        (["fault", "quota", "big", "1"], "instance_type is 'big'"),
        (["clock", "advance", "100000"], "allowed is 0 to 86400"),
        (
            ["image", "add", IMAGE, str(TINY_IMAGE)],
            "aws ecr create-repository --repository-name tiny",
        ),
        (["fault", "maintenance", "nobody"], "Could not find endpoint"),
        (["image", "add", "nginx:1", str(TINY_IMAGE)], "dkr.ecr."),
    ],
)
def test_what_is_refused_is_one_line_that_says_what_is_allowed(
    directory: Path, words: list[str], told: str
) -> None:
    result = typed(directory, *words)

    assert result.exit_code == 1
    assert told in said(result)
    assert "Traceback" not in result.output


def test_an_image_is_added_and_the_clock_moves(directory: Path) -> None:
    session = sessions.current(directory)
    before = sessions.ask(session, "status")["now"]
    environment = sessions.environment(session, os.environ)
    ecr = boto3.client(
        "ecr",
        endpoint_url=session.cloud_url,
        region_name="eu-west-1",
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    ecr.create_repository(repositoryName="tiny")

    added = typed(directory, "image", "add", IMAGE, str(TINY_IMAGE))
    moved = typed(directory, "clock", "advance", "90")

    digest = ecr.describe_images(repositoryName="tiny")["imageDetails"][0]["imageDigest"]
    assert digest in added.output
    assert "UTC in the rehearsal" in moved.output
    assert sessions.ask(session, "status")["now"] == before + 90
    assert "moved by hand: greenlight rehearsal clock advance" in said(typed(directory, "status"))


def test_a_run_so_far_is_replayed(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = typed(directory, "replay")

    assert (result.exit_code, "the same again" in capfd.readouterr().out) == (0, True)


def test_what_holds_no_history_is_not_replayed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = typed(tmp_path, "replay")

    assert result.exit_code == 2
    assert "holds no commands.jsonl to replay" in capfd.readouterr().err


def test_a_rehearsal_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    for words in (["fault", "list"], ["clock", "advance", "1"], ["image", "add", IMAGE, "."]):
        result = typed(tmp_path, *words)

        assert result.exit_code == 1
        assert "greenlight rehearsal start" in said(result)


def test_every_fault_command_is_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    names = typer.main.get_command(fault_app).commands  # type: ignore[attr-defined]
    kinds = [name for name in names if name not in ("list", "clear")]

    assert len(kinds) == 10
    assert [name for name in kinds if f"\n| `{name}" not in page] == []
