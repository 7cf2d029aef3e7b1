"""Which objects a job reads and what their outputs are called: pure, over lists of keys.

Source: botocore TransformS3DataSource, TransformOutput; where a prefix has no slash at its end,
amazon-sagemaker-examples' notebooks read `<output>/data-0.csv.out` for `<prefix>/data-0.csv`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from rehearsal.cloud.transform.errors import TransformError


@dataclass(frozen=True, kw_only=True)
class Input:
    """One object to transform.

    Args:
        relative: its key below the prefix, which names its output
    """

    bucket: str
    key: str
    relative: str

    @property
    def log_name(self) -> str:
        return f"{self.bucket}/{self.key}"


def inputs_of_prefix(bucket: str, prefix: str, keys: Iterable[str]) -> list[Input]:
    """Return the objects under a prefix, folders' placeholders left out."""
    return [
        Input(bucket=bucket, key=key, relative=_relative(prefix, key))
        for key in keys
        if not key.endswith("/")
    ]


def inputs_of_manifest(text: bytes) -> list[Input]:
    """Return the objects a manifest lists: a prefix, then keys below it.

    Raises:
        TransformError: no such list
    """
    try:
        entries = json.loads(text)
        prefix, rest = entries[0]["prefix"], entries[1:]
        scheme, _, place = prefix.partition("://")
    except (ValueError, LookupError, TypeError, AttributeError) as err:
        raise TransformError(
            'the manifest is not a JSON list of {"prefix": "s3://..."} and keys below it'
        ) from err
    if scheme != "s3" or not all(isinstance(entry, str) for entry in rest):
        raise TransformError("the manifest's prefix is not s3://..., or a key is not a string")
    bucket, _, folder = place.partition("/")
    return [Input(bucket=bucket, key=folder + entry, relative=entry) for entry in rest]


def output_uri(output_path: str, item: Input) -> str:
    """Return where an object's output goes."""
    return f"{output_path.rstrip('/')}/{item.relative}.out"


def spread(items: Iterable[Input], count: int) -> list[list[Input]]:
    """Deal objects out to instances in turn; one object is never split over two."""
    hands: list[list[Input]] = [[] for _ in range(count)]
    for index, item in enumerate(items):
        hands[index % count].append(item)
    return hands


def _relative(prefix: str, key: str) -> str:
    below = key[len(prefix) :]
    if below.startswith("/"):
        return below[1:]
    folder = prefix[: prefix.rfind("/") + 1]
    return key[len(folder) :]
