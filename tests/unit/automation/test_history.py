"""`revert` goes back to what was proven to serve and not given up since."""

from __future__ import annotations

import pytest

from automation.errors import NothingToRevertError
from automation.history import REVERT_MESSAGE, UpdateRecord, plan_revert, verified_deployments


def a_record(digest: str | None, **changes: str) -> UpdateRecord:
    config = {"aws:region": "eu-west-1", "greenlight:model": "wine"}
    if digest is not None:
        config |= {
            "greenlight:artifactDigest": digest,
            "greenlight:artifact": f"build/models/wine/{digest}",
        }
    config |= {
        key: value for key, value in changes.items() if key.startswith(("greenlight:", "aws:"))
    }
    return UpdateRecord(
        kind=changes.get("kind", "update"),
        result=changes.get("result", "succeeded"),
        message=changes.get("message", "greenlight up"),
        config=config,
    )


def newest_first(*records: UpdateRecord) -> list[UpdateRecord]:
    return list(reversed(records))


def test_after_a_good_update_the_deployment_before_it_is_chosen() -> None:
    records = newest_first(a_record("a"), a_record("b"))

    assert plan_revert(records, "dev-wine").artifact_digest == "a"


def test_after_a_failed_update_the_live_deployment_is_chosen() -> None:
    records = newest_first(a_record("a"), a_record("b"), a_record("c", result="failed"))

    assert plan_revert(records, "dev-wine").artifact_digest == "b"


def test_several_failed_updates_count_as_one() -> None:
    failed = a_record("c", result="failed")
    records = newest_first(a_record("a"), a_record("b"), failed, failed, failed)

    assert plan_revert(records, "dev-wine").artifact_digest == "b"


def test_the_same_deployment_twice_is_one_deployment() -> None:
    records = newest_first(a_record("a"), a_record("b"), a_record("b"))

    assert plan_revert(records, "dev-wine").artifact_digest == "a"


def test_another_folder_of_the_same_artifact_is_the_same_deployment() -> None:
    elsewhere = a_record("b", **{"greenlight:artifact": "/somewhere/else"})
    records = newest_first(a_record("a"), a_record("b"), elsewhere)

    assert plan_revert(records, "dev-wine").artifact_digest == "a"


def test_another_setting_is_another_deployment() -> None:
    bigger = a_record("a", **{"greenlight:instanceType": "ml.m5.xlarge"})
    records = newest_first(a_record("a"), bigger)

    assert "greenlight:instanceType" not in plan_revert(records, "dev-wine").config


def test_a_second_revert_goes_further_back_and_never_to_what_was_given_up() -> None:
    reverted = a_record("b", message=f"{REVERT_MESSAGE} wine to b")
    records = newest_first(a_record("a"), a_record("b"), a_record("c"), reverted)

    assert plan_revert(records, "dev-wine").artifact_digest == "a"


def test_what_was_given_up_may_be_deployed_again() -> None:
    reverted = a_record("a", message=f"{REVERT_MESSAGE} wine to a")
    records = newest_first(a_record("a"), a_record("b"), reverted, a_record("b"), a_record("c"))

    assert plan_revert(records, "dev-wine").artifact_digest == "b"


def test_a_failed_revert_leaves_the_live_deployment_to_go_back_to() -> None:
    failed = a_record("a", message=f"{REVERT_MESSAGE} wine to a", result="failed")
    records = newest_first(a_record("a"), a_record("b"), failed)

    assert plan_revert(records, "dev-wine").artifact_digest == "b"


def test_nothing_before_a_destroy_is_verified_any_more() -> None:
    records = newest_first(a_record("a"), a_record("b"), a_record("b", kind="destroy"))

    assert verified_deployments(records) == []
    with pytest.raises(NothingToRevertError, match="no other verified deployment"):
        plan_revert(records, "dev-wine")


def test_a_refresh_between_changes_nothing() -> None:
    failed_refresh = a_record("b", kind="refresh", result="failed")
    records = newest_first(a_record("a"), a_record("b"), failed_refresh)

    assert plan_revert(records, "dev-wine").artifact_digest == "a"


def test_the_first_deployment_has_nothing_before_it() -> None:
    with pytest.raises(NothingToRevertError, match=r"stack dev-wine .* artifact a \(succeeded\)"):
        plan_revert([a_record("a")], "dev-wine")


def test_an_empty_history_has_nothing_to_go_back_to() -> None:
    with pytest.raises(NothingToRevertError, match="its latest is none"):
        plan_revert([], "dev-wine")


def test_a_stack_without_a_model_is_no_deployment() -> None:
    records = newest_first(a_record(None), a_record("a"))

    with pytest.raises(NothingToRevertError):
        plan_revert(records, "dev")
