"""Invokes an endpoint with rows and reads its answers."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from automation.errors import InvocationError, UsageError
from automation.spec import Cell

CONTENT_TYPE = "application/json"
LONGEST_ERROR = 600


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an endpoint said of one row.

    Args:
        label: the predicted class, or a regressor's value; of several outputs each with its name.
        confidence: the predicted class's probability; None for a regressor.
        variant: the production variant that answered.
    """

    row: tuple[Cell, ...]
    label: str
    confidence: float | None
    variant: str


def invoke(
    endpoint_name: str, rows: Sequence[Sequence[Cell]], *, region: str | None = None
) -> list[Answer]:
    """Send rows to an endpoint in one request.

    Raises:
        UsageError: there are no rows.
        InvocationError: the endpoint is not there, or answered with an error.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    if not rows:
        raise UsageError("no rows to send; give --row, --file, or samples in the model's spec")
    client = boto3.Session(region_name=region).client("sagemaker-runtime")
    try:
        answer = client.invoke_endpoint(
            EndpointName=endpoint_name,
            ContentType=CONTENT_TYPE,
            Accept=CONTENT_TYPE,
            Body=json.dumps({"instances": [list(row) for row in rows]}),
        )
        body = answer["Body"].read()
    except ClientError as err:
        raise InvocationError(
            f"endpoint {endpoint_name} did not answer: {_told(err.response)}; its log group is "
            f"/aws/sagemaker/Endpoints/{endpoint_name}"
        ) from err
    except BotoCoreError as err:
        raise InvocationError(f"endpoint {endpoint_name} cannot be reached: {err}") from err
    return answers_from(rows, body, answer.get("InvokedProductionVariant", ""))


def answers_from(rows: Sequence[Sequence[Cell]], body: bytes, variant: str) -> list[Answer]:
    """Read the body of an answer.

    Raises:
        InvocationError: it is not what the server of this project answers.
    """
    try:
        predictions = json.loads(body)["predictions"]
        return [
            _answer(row, prediction, variant)
            for row, prediction in zip(rows, predictions, strict=True)
        ]
    except (ValueError, KeyError, TypeError) as err:
        raise InvocationError(
            f"the endpoint answered {body[:LONGEST_ERROR]!r}, which holds no prediction for each "
            "row; it serves another container than this project's"
        ) from err


def rows_from_texts(texts: Sequence[str]) -> list[tuple[Cell, ...]]:
    """Read rows as comma-separated values: numbers, true, false, other texts; empty is missing.

    Raises:
        UsageError: a row is not CSV.
    """
    rows = []
    for text in texts:
        try:
            cells = next(csv.reader([text], strict=True), [])
        except csv.Error as err:
            raise UsageError(
                f"row {text!r} is not comma-separated values ({err}); give it as 5.1,3.5,red"
            ) from err
        rows.append(tuple(map(_cell, cells)))
    return rows


def rows_from_file(path: Path) -> list[tuple[Cell, ...]]:
    """Read rows from a CSV file, or from JSON as the endpoint takes it or as a plain list.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        text = path.read_text()
        if path.suffix != ".json":
            return rows_from_texts([line for line in text.splitlines() if line.strip()])
        document = json.loads(text)
        instances = document["instances"] if isinstance(document, dict) else document
        return [tuple(_checked(cell) for cell in row) for row in instances]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise UsageError(
            f"file {path} cannot be read ({err}); give a .csv file without header, or a .json file "
            'with {"instances": [[...], ...]}'
        ) from err


def _cell(text: str) -> Cell:
    if text in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[text]
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _checked(cell: object) -> Cell:
    if isinstance(cell, bool | str) or cell is None:
        return cell
    if isinstance(cell, int | float):
        return float(cell)
    raise TypeError(f"{cell!r} is no number, text, boolean or null")


def _answer(row: Sequence[Cell], prediction: object, variant: str) -> Answer:
    if not isinstance(prediction, dict):
        return Answer(row=tuple(row), label=str(prediction), confidence=None, variant=variant)
    label = _label(prediction)
    confidence = prediction.get("confidence")
    return Answer(
        row=tuple(row),
        label=label,
        confidence=None if confidence is None else float(confidence),
        variant=variant,
    )


def _label(prediction: Mapping[str, object]) -> str:
    outputs = prediction.get("outputs")
    if isinstance(outputs, dict):
        return ", ".join(f"{name} {_label(output)}" for name, output in outputs.items())
    label = prediction.get("predicted_class", prediction.get("predicted_value"))
    if label is None:
        raise KeyError("predicted_class")
    return str(label)


def _told(response: object) -> str:
    if not isinstance(response, dict):
        return "no reason given"
    error = response.get("Error", {})
    return f"{error.get('Code', 'Error')}: {error.get('Message', '')}"[:LONGEST_ERROR]
