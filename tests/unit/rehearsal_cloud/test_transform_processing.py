"""Filters and joins of records, the parameters of a job, and what a job may not ask for."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.transform.errors import TransformError
from rehearsal.cloud.transform.parameters import (
    container_parameters,
    environment,
    model_with_environment,
    parameters,
)
from rehearsal.cloud.transform.processing import (
    Format,
    filtered_input,
    finished_output,
    format_of,
    processing_from_members,
)
from rehearsal.cloud.transform.rules import check_job, check_model

GUIDE = "DG batch-transform-data-processing; botocore DataProcessing"


def finished(members: dict[str, str], record: bytes, answer: bytes, form: Format) -> bytes:
    processing = processing_from_members(members)
    return finished_output(processing, record, answer, form=form, answered=form)


@pytest.mark.source(GUIDE)
def test_an_object_gets_a_key_and_anything_else_is_put_beside_the_answer() -> None:
    joins = {"JoinSource": "Input"}

    of_object = finished(joins, b'{"key": 1}', b'{"label": 1}', Format.JSON)
    of_array = finished(joins, b"[1, 2]", b"0.5", Format.JSON_LINES)

    assert json.loads(of_object) == {"key": 1, "SageMakerOutput": {"label": 1}}
    assert json.loads(of_array) == {"SageMakerInput": [1, 2], "SageMakerOutput": 0.5}


@pytest.mark.source(GUIDE)
def test_a_rows_answer_is_appended_to_it() -> None:
    assert finished({"JoinSource": "Input"}, b"1,2,3", b"1", Format.CSV) == b"1,2,3,1"
    assert finished({"OutputFilter": "$[0]"}, b"1,2,3", b"8,9", Format.CSV) == b"8"


CELLS = st.lists(
    st.text(st.characters(exclude_characters="\r\n\0"), max_size=5), min_size=2, max_size=5
)


@given(CELLS, CELLS)
def test_a_joined_row_reads_back_as_both_rows(row: list[str], answer: list[str]) -> None:
    def written(cells: list[str]) -> bytes:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="").writerow(cells)
        return buffer.getvalue().encode()

    joined = finished({"JoinSource": "Input"}, written(row), written(answer), Format.CSV)

    assert next(csv.reader(io.StringIO(joined.decode()))) == row + answer


def test_without_a_filter_a_record_is_sent_as_it_is() -> None:
    plain = processing_from_members({})
    filtered = processing_from_members({"InputFilter": "$[1:]"})

    assert filtered_input(plain, b' "a" ,b', Format.CSV) == b' "a" ,b'
    assert filtered_input(filtered, b'id,"x,y",z', Format.CSV) == b'"x,y",z'


@pytest.mark.source("sagemaker issues: Failed to parse output from the algorithm as CSV")
@pytest.mark.parametrize(
    ("record", "answer", "form", "text"),
    [
        (b"1,2", b'"open', Format.CSV, "Failed to parse output from the algorithm as CSV"),
        (b"1,2", b"\xff", Format.CSV, "Failed to parse output from the algorithm as CSV"),
        (b"{", b"{}", Format.JSON, "Failed to parse input as JSON"),
        (b"1\n2", b"1", Format.CSV, "2 rows in one record"),
    ],
)
def test_data_of_another_format_is_an_error(
    record: bytes, answer: bytes, form: Format, text: str
) -> None:
    with pytest.raises(TransformError, match=text):
        finished({"JoinSource": "Input"}, record, answer, form)


def test_formats_are_told_by_the_mime_type_without_its_parameters() -> None:
    assert format_of("text/csv; header=absent") is Format.CSV
    assert format_of("application/jsonlines") is Format.JSON_LINES
    assert format_of("image/png") is None
    assert format_of(None) is None


@pytest.mark.source("DG your-algorithms-batch-code: order of precedence")
def test_each_value_comes_from_the_first_that_names_it() -> None:
    told = {"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD"}

    asked = parameters({"MaxConcurrentTransforms": 0, "MaxPayloadInMB": 3}, told)
    wins = parameters({"MaxConcurrentTransforms": 2, "BatchStrategy": "MultiRecord"}, told)
    nobody = parameters({}, {})

    assert (asked.concurrency, asked.payload_mb, asked.strategy) == (8, 3, "SINGLE_RECORD")
    assert (wins.concurrency, wins.strategy) == (2, "MULTI_RECORD")
    assert (nobody.concurrency, nobody.payload_mb, nobody.strategy) == (1, 6, "MULTI_RECORD")


@pytest.mark.parametrize(
    "body", [b"no json", b"[1]", b'{"MaxPayloadInMB": "6"}', b'{"BatchStrategy": "SingleRecord"}']
)
def test_what_a_container_says_wrongly_is_not_listened_to(body: bytes) -> None:
    assert container_parameters(body) == {}


def test_a_jobs_environment_wins_in_every_container() -> None:
    model: dict[str, Any] = {
        "Containers": [{"Image": "a", "Environment": {"X": "model", "Y": "1"}}, {"Image": "b"}]
    }

    changed = model_with_environment(model, environment({"Environment": {"X": "job"}}))

    assert changed["Containers"][0]["Environment"] == {
        "X": "job",
        "Y": "1",
        "SAGEMAKER_BATCH": "true",
    }
    assert changed["Containers"][1]["Environment"] == {"X": "job", "SAGEMAKER_BATCH": "true"}
    assert model["Containers"][0]["Environment"] == {"X": "model", "Y": "1"}


def a_job(**members: Any) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/p"}
    return {
        "TransformInput": {"DataSource": {"S3DataSource": source}, "ContentType": "text/csv"},
        "TransformOutput": {"S3OutputPath": "s3://b/o"},
        **members,
    }


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"ExperimentConfig": {}}, "the rehearsal cloud does not do experiments"),
        ({"DataProcessing": {"InputFilter": "$..a"}}, "is not supported at"),
    ],
)
def test_what_a_rehearsal_does_not_do_is_refused_by_name(
    members: dict[str, Any], text: str
) -> None:
    with pytest.raises(ApiError, match=text):
        check_job(a_job(**members))

    check_job(a_job(DataProcessing={"InputFilter": "$", "JoinSource": "None"}))


@pytest.mark.parametrize(
    "model",
    [
        {"PrimaryContainer": {"Image": "i", "Mode": "MultiModel"}},
        {"Containers": [{}, {}], "InferenceExecutionConfig": {"Mode": "Direct"}},
    ],
)
def test_models_that_need_to_be_told_a_target_are_refused(model: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="do not support"):
        check_model(model)


def test_a_model_package_is_refused_by_name() -> None:
    with pytest.raises(ApiError, match="does not do model packages"):
        check_model({"PrimaryContainer": {"ModelPackageName": "package"}})
