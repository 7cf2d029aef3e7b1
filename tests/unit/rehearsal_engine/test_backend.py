"""The file back end: layout, locks, history and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.backend import Backend, Store
from rehearsal.engine.errors import EngineError, LoginError, StackNotFoundError
from rehearsal.engine.state import Deployment, deployment_to_json, hidden_secret

LATEST = deployment_to_json(Deployment(), hidden_secret, secrets_provider=None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(Backend(f"file://{tmp_path}"), "p5", "dev")
    store.write(LATEST)
    return store


def test_new_back_end_is_marked_with_the_layout_of_projects(tmp_path: Path) -> None:
    Backend(f"file://{tmp_path}")

    assert (tmp_path / ".pulumi/meta.yaml").read_text() == "version: 1\n"


def test_state_is_a_checkpoint_under_the_project_and_the_one_before_is_kept(
    store: Store, tmp_path: Path
) -> None:
    before = store.file.read_text()
    store.write({**LATEST, "metadata": {"n": 2}})

    assert store.file == tmp_path / ".pulumi/stacks/p5/dev.json"
    document = json.loads(store.file.read_text())
    assert document["version"] == 3
    assert document["checkpoint"]["stack"] == "organization/p5/dev"
    assert store.read()["metadata"] == {"n": 2}
    assert store.file.with_name("dev.json.bak").read_text() == before
    assert not list(store.file.parent.glob(".*")), "no temporary file is left"


def test_absent_stack_edited_state_and_other_versions_are_refused(store: Store) -> None:
    with pytest.raises(StackNotFoundError, match=r"^no stack named 'x' found$"):
        Store(store.backend, "p5", "x").read()

    store.write({**LATEST, "manifest": {"magic": "0", "version": "v1"}})
    with pytest.raises(EngineError, match="tampered"):
        store.read()

    store.file.write_text('{"version":4,"checkpoint":{}}')
    with pytest.raises(EngineError, match="version 4"):
        store.read()


def test_lock_is_held_once_and_told_in_the_words_the_automation_api_looks_for(
    store: Store, tmp_path: Path
) -> None:
    with store.locked() as own:
        held = json.loads(own.read_text())
        with pytest.raises(EngineError) as failure, store.locked():
            raise AssertionError("two can't hold it")
        assert own.exists()

    lines = str(failure.value).split("\n")
    assert lines[0].startswith("the stack is currently locked by 1 lock(s). Either wait for the ")
    assert lines[0].endswith("or delete the lock file with `pulumi cancel`.")
    place = f"file://{tmp_path}/.pulumi/locks/organization/p5/dev/{own.name}"
    assert lines[1].startswith(
        f"  {place}?no_tmp_dir=true: created by {held['username']}@{held['hostname']} (pid "
    )
    assert set(held) == {"pid", "username", "hostname", "timestamp"}
    assert not own.exists()


def test_lock_left_by_a_dead_process_stays_until_cancel(store: Store) -> None:
    lock = store.backend.root / "locks/organization/p5/dev/x.json"
    lock.parent.mkdir(parents=True)
    lock.write_text('{"pid":1,"username":"u","hostname":"h","timestamp":"2026-01-02T03:04:05.5Z"}')

    with pytest.raises(EngineError, match=r"u@h \(pid 1\) at 2026-01-02T03:04:05Z"), store.locked():
        pass
    store.cancel()
    with store.locked():
        pass


def an_entry(message: str) -> dict[str, Any]:
    return {"kind": "update", "message": message}


def test_history_is_told_newest_first_with_a_copy_of_every_state(
    store: Store, tmp_path: Path
) -> None:
    store.record(an_entry("one"))
    store.record(an_entry("two"))

    assert [entry["message"] for entry in store.history()] == ["two", "one"]
    root = tmp_path / ".pulumi"
    assert len(list((root / "history/p5/dev").glob("dev-*.checkpoint.json"))) == 2
    backups = list((root / "backups/p5/dev").glob("dev.*.json"))
    assert len(backups) == 2
    assert backups[0].read_text() == store.file.read_text()


def test_removed_stack_leaves_its_last_state_and_backups_only(store: Store, tmp_path: Path) -> None:
    store.record(an_entry("one"))

    store.remove()

    left = sorted(f.relative_to(tmp_path).parts[1] for f in tmp_path.rglob("*") if f.is_file())
    assert left == ["backups", "meta.yaml", "stacks"]
    assert not store.file.exists()
    assert store.file.with_name("dev.json.bak").exists()


def test_back_end_of_another_kind_absent_folder_and_old_layout_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LoginError, match="s3://b"):
        Backend("s3://b")
    with pytest.raises(LoginError, match="is not a folder"):
        Backend(f"file://{tmp_path}/absent")
    (tmp_path / ".pulumi/stacks").mkdir(parents=True)
    (tmp_path / ".pulumi/stacks/dev.json").write_text("{}")
    with pytest.raises(LoginError, match="another layout"):
        Backend(f"file://{tmp_path}")
