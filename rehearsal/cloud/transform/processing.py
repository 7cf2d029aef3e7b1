"""DataProcessing: filter a record on its way in, join and filter it on its way out. Pure.

Source: botocore DataProcessing; SageMaker Developer Guide, "Associate Prediction Results with
Input Records": CSV by rows taken as arrays, JSON and JSON Lines by values; and "Capture data from
batch transform job" for the inference id.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rehearsal.cloud.transform.errors import TransformError
from rehearsal.cloud.transform.jsonpath import JsonPath, parse

OUTPUT_KEY = "SageMakerOutput"
INPUT_KEY = "SageMakerInput"
ID_KEY = "SageMakerInferenceId"
TIME_KEY = "SageMakerInferenceTime"


class Format(StrEnum):
    """The formats data processing reads."""

    CSV = "text/csv"
    JSON = "application/json"
    JSON_LINES = "application/jsonlines"


@dataclass(frozen=True, kw_only=True)
class Processing:
    """What is done to every record.

    Args:
        new_id: makes an inference id for each record; None to append none
        started: transform job start time, appended with the id
    """

    input_filter: JsonPath
    output_filter: JsonPath
    joins: bool
    new_id: Callable[[], str] | None = None
    started: str = ""

    @property
    def filters_input(self) -> bool:
        return not self.input_filter.is_root

    @property
    def changes_output(self) -> bool:
        return self.joins or not self.output_filter.is_root or self.new_id is not None


def processing_from_members(
    members: Mapping[str, Any], *, new_id: Callable[[], str] | None = None, started: str = ""
) -> Processing:
    """Return the processing of DataProcessing's members.

    Raises:
        JsonPathError: a filter can't be read
    """
    return Processing(
        input_filter=parse(members.get("InputFilter", "$")),
        output_filter=parse(members.get("OutputFilter", "$")),
        joins=members.get("JoinSource", "None") == "Input",
        new_id=new_id,
        started=started,
    )


def format_of(content_type: str | None) -> Format | None:
    """Return the format a MIME type names, parameters aside; None for any other."""
    bare = (content_type or "").partition(";")[0].strip().lower()
    return next((each for each in Format if each.value == bare), None)


def filtered_input(processing: Processing, record: bytes, form: Format) -> bytes:
    """Return what of a record the container is sent."""
    if not processing.filters_input:
        return record
    return _written(processing.input_filter.select(_read(record, form, "input")), form)


def finished_output(
    processing: Processing, record: bytes, answer: bytes, *, form: Format, answered: Format
) -> bytes:
    """Return what is stored for one record and the container's answer to it."""
    if not processing.changes_output:
        return answer
    output = _read(answer, answered, "output from the algorithm")
    if processing.joins:
        output = _joined(_read(record, form, "input"), output, form)
    output = processing.output_filter.select(output)
    if processing.new_id is not None:
        output = _identified(output, processing.new_id(), processing.started, answered)
    return _written(output, answered)


def _joined(record: Any, output: Any, form: Format) -> Any:
    if form is Format.CSV:
        return [*record, *output]
    if isinstance(record, dict):
        return {**record, OUTPUT_KEY: output}
    return {INPUT_KEY: record, OUTPUT_KEY: output}


def _identified(output: Any, inference_id: str, started: str, form: Format) -> Any:
    if form is Format.CSV:
        row = output if isinstance(output, list) else [output]
        return [*row, inference_id, started]
    if not isinstance(output, dict):
        output = {OUTPUT_KEY: output}
    return {**output, ID_KEY: inference_id, TIME_KEY: started}


def _read(data: bytes, form: Format, what: str) -> Any:
    """Return a record's value: a CSV row as a list of texts, JSON as it says."""
    try:
        text = data.decode()
        if form is not Format.CSV:
            return json.loads(text)
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except (ValueError, csv.Error) as err:
        name = "CSV" if form is Format.CSV else "JSON"
        raise TransformError(f"Failed to parse {what} as {name}: {err}") from err
    if len(rows) > 1:
        raise TransformError(f"Failed to parse {what} as CSV: {len(rows)} rows in one record")
    return rows[0] if rows else []


def _written(value: Any, form: Format) -> bytes:
    if form is not Format.CSV:
        return json.dumps(value).encode()
    row = value if isinstance(value, list) else [value]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(row)
    return buffer.getvalue().encode()
