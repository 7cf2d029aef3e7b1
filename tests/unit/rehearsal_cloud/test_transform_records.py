"""Split, batch and assemble: what is sent is what lies in the object, in order."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.transform.errors import TransformError
from rehearsal.cloud.transform.inputs import (
    Input,
    inputs_of_manifest,
    inputs_of_prefix,
    output_uri,
    spread,
)
from rehearsal.cloud.transform.records import RECORDIO_MAGIC, assemble, batches, split

SPLIT = "botocore TransformInput$SplitType"


def recordio(payload: bytes, flag: int = 0) -> bytes:
    head = struct.pack("<II", RECORDIO_MAGIC, flag << 29 | len(payload))
    return head + payload + b"\0" * (-len(payload) % 4)


def tfrecord(payload: bytes) -> bytes:
    return struct.pack("<QI", len(payload), 0) + payload + b"crc!"


@given(st.binary(max_size=200), st.integers(1, 64))
def test_batches_of_many_records_put_together_are_the_object(data: bytes, maximum: int) -> None:
    records = split(data, "Line")
    longest = max((len(record.raw) for record in records), default=0)

    made = batches(records, is_single=False, maximum_bytes=max(maximum, longest))

    assert b"".join(payload for _, payload in made) == data
    assert sum(count for count, _ in made) == len(records)
    assert all(len(payload) <= max(maximum, longest) for _, payload in made)


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_binary_records_come_out_as_they_went_in(payloads: Sequence[bytes]) -> None:
    for make, name in ((recordio, "RecordIO"), (tfrecord, "TFRecord")):
        data = b"".join(make(payload) for payload in payloads)

        records = split(data, name)

        assert [record.payload for record in records] == list(payloads)
        assert b"".join(record.raw for record in records) == data


@pytest.mark.source(SPLIT + ": padding is removed for SingleRecord alone")
def test_a_record_sent_alone_is_without_its_padding_and_line_end() -> None:
    single = batches(split(recordio(b"abc"), "RecordIO"), is_single=True, maximum_bytes=99)
    multi = batches(split(recordio(b"abc"), "RecordIO"), is_single=False, maximum_bytes=99)
    lines = batches(split(b"a\r\nb", "Line"), is_single=True, maximum_bytes=99)

    assert single == [(1, b"abc")]
    assert multi == [(1, recordio(b"abc"))]
    assert lines == [(1, b"a"), (1, b"b")]


def test_a_recordio_payload_cut_at_the_magic_number_is_put_together() -> None:
    magic = struct.pack("<I", RECORDIO_MAGIC)
    data = recordio(b"head", 1) + recordio(b"tail", 3) + recordio(b"next")

    assert [record.payload for record in split(data, "RecordIO")] == [
        b"head" + magic + b"tail",
        b"next",
    ]


@pytest.mark.parametrize(
    ("data", "split_type"),
    [
        (b"not a record", "RecordIO"),
        (recordio(b"abcd")[:-2], "RecordIO"),
        (recordio(b"abcd", 1), "RecordIO"),
        (b"\0" * 5, "RecordIO"),
        (tfrecord(b"abcd")[:-2], "TFRecord"),
        (b"\0" * 5, "TFRecord"),
    ],
)
def test_bytes_of_another_format_are_an_error(data: bytes, split_type: str) -> None:
    with pytest.raises(TransformError, match=split_type):
        split(data, split_type)


@pytest.mark.source("DG batch-transform: exceeding MaxPayloadInMB causes an error")
def test_a_record_larger_than_a_payload_is_an_error() -> None:
    with pytest.raises(TransformError, match="larger than MaxPayloadInMB"):
        batches(split(b"short\nmuch too long\n", "Line"), is_single=False, maximum_bytes=8)


@pytest.mark.source("botocore TransformOutput$AssembleWith")
def test_answers_are_joined_with_or_without_newlines() -> None:
    assert assemble([b"a", b"b\n"], with_lines=True) == b"a\nb\n"
    assert assemble([b"a", b"b"], with_lines=False) == b"ab"


@pytest.mark.source("botocore TransformOutput$S3OutputPath; examples#347")
def test_outputs_are_named_after_the_key_below_the_prefix() -> None:
    keys = ["p/a.csv", "p/q/b.csv", "p/folder/"]

    with_slash = inputs_of_prefix("b", "p/", keys)
    without = inputs_of_prefix("b", "p", keys)
    partial = inputs_of_prefix("b", "p/a", ["p/a.csv"])

    assert [each.relative for each in with_slash] == ["a.csv", "q/b.csv"]
    assert [each.relative for each in without] == ["a.csv", "q/b.csv"]
    assert [each.relative for each in partial] == ["a.csv"]
    assert output_uri("s3://o/x/", with_slash[1]) == "s3://o/x/q/b.csv.out"


def test_a_manifest_that_is_none_is_an_error() -> None:
    listed = inputs_of_manifest(b'[{"prefix": "s3://b/x/"}, "a", "c/d"]')

    assert [each.key for each in listed] == ["x/a", "x/c/d"]
    for text in (
        b"{}",
        b"no json",
        b'["a"]',
        b'[{"prefix": "b/x"}, "a"]',
        b'[{"prefix": "s3://b/"}, 1]',
    ):
        with pytest.raises(TransformError, match="manifest"):
            inputs_of_manifest(text)


@given(st.integers(0, 20), st.integers(1, 5))
def test_every_object_is_dealt_to_one_instance(count: int, instances: int) -> None:
    items = [Input(bucket="b", key=str(n), relative=str(n)) for n in range(count)]

    hands = spread(items, instances)

    assert len(hands) == instances
    assert sorted((each for hand in hands for each in hand), key=lambda i: int(i.key)) == items
    assert max(map(len, hands)) - min(map(len, hands)) <= 1
