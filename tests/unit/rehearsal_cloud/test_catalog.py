"""Models, configs and tags as they are kept."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.hosting.catalog import CONFIG, MODEL, Catalog


@pytest.fixture
def catalog() -> Catalog:
    return Catalog(account_id="123456789012", region="eu-west-1")


def test_an_entry_never_changes_after_its_creation(catalog: Catalog) -> None:
    members: dict[str, Any] = {"ProductionVariants": [{"VariantName": "v"}]}

    entry = catalog.create(CONFIG, "c", members, 1.0)
    members["ProductionVariants"][0]["VariantName"] = "changed"

    assert entry.members == {"ProductionVariants": [{"VariantName": "v"}]}
    with pytest.raises(ApiError, match="Cannot create already existing endpoint configuration"):
        catalog.create(CONFIG, "c", members, 2.0)


def test_tags_are_kept_by_arn_and_go_with_the_entry(catalog: Catalog) -> None:
    entry = catalog.create(MODEL, "m", {"Tags": [{"Key": "k", "Value": "v"}]}, 1.0)

    assert catalog.tags[entry.arn] == {"k": "v"}
    assert "Tags" not in entry.members
    catalog.delete(MODEL, "m")
    assert catalog.tags == {}
    with pytest.raises(ApiError, match=r'Could not find model ".*:model/m"'):
        catalog.get(MODEL, "m")


def test_a_model_and_a_config_may_share_a_name(catalog: Catalog) -> None:
    model = catalog.create(MODEL, "same", {}, 1.0)
    config = catalog.create(CONFIG, "same", {}, 1.0)

    assert model.arn.endswith(":model/same")
    assert config.arn.endswith(":endpoint-config/same")
