"""A stack's folder points to the repository's program and never writes into the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from automation.errors import SettingsProblemError, SetupError, StackError
from automation.workspace import (
    base_file,
    base_secrets,
    check_setup,
    open_stack,
    stack_folder,
    stack_short_name,
    write_folder,
)

PROJECT = "name: greenlight\nruntime:\n  name: python\n  options:\n    virtualenv: .venv\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    return tmp_path


def written(folder: Path, name: str) -> dict[str, object]:
    document: dict[str, object] = yaml.safe_load((folder / name).read_text())
    return document


def test_the_folder_points_to_the_program_and_its_virtual_environment(root: Path) -> None:
    folder = write_folder(root, "dev-wine", {"greenlight:stage": "dev"}, {})

    project = written(folder, "Pulumi.yaml")
    assert project["name"] == "greenlight"
    assert project["main"] == str(root)
    assert project["runtime"] == {"name": "python", "options": {"virtualenv": str(root / ".venv")}}
    assert written(folder, "Pulumi.dev-wine.yaml") == {"config": {"greenlight:stage": "dev"}}
    assert (root / "Pulumi.yaml").read_text() == PROJECT


def test_a_rehearsal_keeps_its_stacks_in_its_own_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stack_folder(root, "dev") == root / "build" / "stacks" / "dev"

    monkeypatch.setenv("GREENLIGHT_REHEARSAL", "/rehearsal")

    assert stack_folder(root, "dev") == Path("/rehearsal/stacks/dev")


def test_a_stack_keeps_its_own_salt_when_its_settings_are_written_again(root: Path) -> None:
    folder = write_folder(root, "dev", {"a": 1}, {})
    (folder / "Pulumi.dev.yaml").write_text("encryptionsalt: own\nconfig: {a: 1}\n")

    write_folder(root, "dev", {"a": 2}, {"encryptionsalt": "base"})

    assert written(folder, "Pulumi.dev.yaml") == {"encryptionsalt": "own", "config": {"a": 2}}


def test_the_base_stacks_secrets_come_along_only_where_there_are_any() -> None:
    salt = {"encryptionsalt": "v1:x"}
    key = {"secretsprovider": "awskms://alias/x", "encryptedkey": "y"}

    assert base_secrets({**salt, "config": {"a": "b"}}) == {}
    assert base_secrets({**salt, "config": {"a": {"secure": "v1:z"}}}) == salt
    assert base_secrets({**key, "config": {"a": "b"}}) == key


def test_a_missing_base_file_is_named(root: Path) -> None:
    with pytest.raises(SettingsProblemError, match=r"Pulumi\.dev\.yaml cannot be read"):
        base_file(root, "dev")

    (root / "Pulumi.dev.yaml").write_text("a: b")
    with pytest.raises(SettingsProblemError, match=r"Pulumi\.dev\.yaml has no config"):
        base_file(root, "dev")


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="run greenlight in its own project"):
        open_stack(tmp_path, "dev")


def test_without_an_engine_the_ways_to_get_one_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(SetupError, match=r"greenlight rehearsal run -- .* install the Pulumi CLI"):
        check_setup()


def test_without_credentials_the_ways_to_get_some_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pulumi").write_text("#!/bin/sh\n")
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    with pytest.raises(SetupError, match=r"no AWS credentials .* AWS_PROFILE"):
        check_setup()


def test_a_short_name_drops_organization_and_project() -> None:
    assert stack_short_name("organization/greenlight/dev-wine") == "dev-wine"
    assert stack_short_name("dev") == "dev"
