import re

import pytest

from components import names

PULUMI_SUFFIX = "-1a2b3c4"
SUFFIXES = [
    value
    for key, value in vars(names).items()
    if key.isupper() and isinstance(value, str) and key != "PROJECT"
]


def test_longest_name_fits_sagemaker() -> None:
    stem = names.model_stem("m" * names.MAXIMUM_MODEL_NAME_LENGTH, "prod")

    longest = max(
        (names.child_name(stem, suffix) for suffix in (names.ENDPOINT_CONFIG, names.ENDPOINT)),
        key=len,
    )

    assert len(longest + PULUMI_SUFFIX) <= 63


def test_suffixes_are_distinct_and_fit_every_service() -> None:
    assert len(set(SUFFIXES)) == len(SUFFIXES)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", suffix) for suffix in SUFFIXES)


@pytest.mark.parametrize("model", ["iris", "wine-2", "a", "m" * 32])
def test_model_names_that_fit(model: str) -> None:
    assert names.MODEL_NAME_PATTERN.fullmatch(model)


@pytest.mark.parametrize("model", ["", "Iris", "2wine", "wine-", "a--b", "a_b", "m" * 33, "a\n"])
def test_model_names_that_do_not(model: str) -> None:
    assert not names.MODEL_NAME_PATTERN.fullmatch(model)


def test_artifact_lies_under_its_digest() -> None:
    assert names.artifact_key("iris", "abc") == "models/v1/iris/abc/model.tar.gz"
