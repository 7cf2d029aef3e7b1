"""Buckets and keys of S3's URLs."""

from __future__ import annotations

import pytest

from rehearsal.cloud.s3_url import bucket_and_key


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/some/key",
        "https://s3.amazonaws.com/bucket/some/key",
        "https://s3.eu-west-1.amazonaws.com/bucket/some/key",
        "https://s3-eu-west-1.amazonaws.com/bucket/some/key",
        "https://bucket.s3.eu-west-1.amazonaws.com/some/key",
        "https://bucket.s3-eu-west-1.amazonaws.com/some/key",
    ],
)
def test_an_object_is_named_in_each_of_s3s_ways(url: str) -> None:
    assert bucket_and_key(url) == ("bucket", "some/key")


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("s3://bucket/a#b?c=%20 d", "a#b?c=%20 d"),
        ("https://bucket.s3.amazonaws.com/a%23b%20c", "a#b c"),
    ],
)
def test_a_key_may_hold_what_urls_give_a_meaning(url: str, key: str) -> None:
    assert bucket_and_key(url) == ("bucket", key)


def test_a_bucket_alone_has_an_empty_key() -> None:
    assert bucket_and_key("s3://bucket") == ("bucket", "")
