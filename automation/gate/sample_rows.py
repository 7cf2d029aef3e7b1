"""Rows for an estimator that comes without any: a CSV file, or the training script's own.

An estimator alone proves nothing: equality, golden rows and accuracy need rows as clients will
send them. The file's header names the features; a last column `label`, which may be left out,
holds the truth.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from automation.errors import EstimatorFileError, SourceError, TrainingError
from automation.gate.training import TrainedModel, misfits, trained_from_returned

LABEL = "label"
BOOLEANS = {"true": True, "false": False, "True": True, "False": False}
LARGEST_FILE_BYTES = 64 << 20
LONGEST_LIST = 5


def with_estimator(trained: TrainedModel, estimator: Any, name: str) -> TrainedModel:
    """Put an estimator from elsewhere in the place of the one just trained.

    Args:
        trained: gives the names and the rows that the estimator has to answer.

    Raises:
        EstimatorFileError: it takes other features, or knows another number of classes.
    """
    names = _named_features(estimator)
    if names is not None and names != trained.feature_names:
        raise EstimatorFileError(
            f"the estimator of {name} takes the features {', '.join(names)}; the training script's "
            f"rows have {', '.join(trained.feature_names)}"
        )
    count = _feature_count(estimator)
    if count is not None and count != len(trained.feature_names):
        raise EstimatorFileError(
            f"the estimator of {name} takes {count} features; the training script's rows have "
            f"{len(trained.feature_names)}"
        )
    replaced = replace(
        trained,
        estimator=estimator,
        name=name,
        column_types=_column_types(trained, is_named=names is not None),
    )
    problems = misfits(replaced)
    if problems:
        raise EstimatorFileError(
            f"the estimator of {name} does not fit what the training script returned: "
            f"{'; '.join(problems)}"
        )
    return replaced


def trained_from_rows(
    estimator: Any, name: str, path: Path, class_names: Sequence[str] = ()
) -> TrainedModel:
    """Join an estimator with the rows of a CSV file.

    Args:
        path: the file; its header names the features, its last column may be `label`.
        class_names: names by class index; left out, the estimator's own classes.

    Raises:
        SourceError: the file cannot be read, or its columns or labels are not the estimator's.
    """
    table = read_table(path)
    features = _features(estimator, list(table), path)
    has_labels = LABEL in table and LABEL not in features
    frame = _frame({name: table[name] for name in features})
    rows = frame if _named_features(estimator) is not None else _array(frame)
    names = _class_names(estimator, class_names, path)
    labels = _labels(estimator, table[LABEL], names, path) if has_labels else None
    if labels is None:
        labels = _predicted(estimator, rows, path)
    returned = {
        "estimator": estimator,
        "feature_names": features,
        "class_names": names,
        "training_rows": rows,
        "training_labels": labels,
        "live_rows": rows,
        "live_labels": labels,
    }
    try:
        trained = trained_from_returned(returned, name, path)
    except TrainingError as err:
        raise SourceError(f"the rows in {path} do not fit the estimator of {name}: {err}") from err
    return replace(trained, has_labels=has_labels)


def _named_features(estimator: Any) -> tuple[str, ...] | None:
    """Return the features an estimator was fitted with by name; None where it knows none."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else tuple(map(str, names))


def _feature_count(estimator: Any) -> int | None:
    """Return how many features an estimator takes; None where it does not say."""
    count = getattr(estimator, "n_features_in_", None)
    return None if count is None else int(count)


def _column_types(trained: TrainedModel, *, is_named: bool) -> Mapping[str, Any] | None:
    """Say whether rows are given to the estimator as a DataFrame, and of which types."""
    if not is_named or trained.column_types is not None:
        return trained.column_types if is_named else None
    import pandas

    frame = pandas.DataFrame(trained.training_rows, columns=list(trained.feature_names))
    return dict(frame.infer_objects().dtypes.items())


def coverage_notes(trained: TrainedModel) -> tuple[str, ...]:
    """Say of which classes there is no row; several outputs are not looked at."""
    if not trained.class_names:
        return ()
    present = set(trained.training_labels.tolist())
    classes = trained.estimator.classes_.tolist()
    absent = [
        name
        for name, label in zip(trained.class_names, classes, strict=True)
        if label not in present
    ]
    if not absent:
        return ()
    return (f"no row is of class {_some(absent)}: the golden rows prove nothing of it",)


def read_table(path: Path) -> dict[str, list[str]]:
    """Read a CSV file with a header: the texts of each column.

    Raises:
        SourceError: not there, too large, not CSV in UTF-8, or a row has more or fewer cells than
            the header.
    """
    if not path.is_file():
        raise SourceError(f"rows {path} do not exist; give a CSV file with a header")
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise SourceError(f"rows {path} have more than {LARGEST_FILE_BYTES} bytes; give a sample")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if not header or len(set(header)) != len(header) or "" in header:
                raise SourceError(
                    f"rows {path} begin with {','.join(header)!r}; the first line has to name "
                    "every feature, each once"
                )
            columns: dict[str, list[str]] = {name: [] for name in header}
            for row in filter(None, reader):
                if len(row) != len(header):
                    raise SourceError(
                        f"rows {path} line {reader.line_num} has {len(row)} cells; the header has "
                        f"{len(header)}"
                    )
                for column, cell in zip(columns.values(), row, strict=True):
                    column.append(cell)
    except (UnicodeDecodeError, csv.Error) as err:
        raise SourceError(f"rows {path} are not CSV in UTF-8: {err}") from err
    if not columns[header[0]]:
        raise SourceError(f"rows {path} hold no row; without rows nothing can be proven")
    return columns


def _features(estimator: Any, header: list[str], path: Path) -> tuple[str, ...]:
    """Say which columns are the estimator's features, in its order."""
    names = _named_features(estimator)
    if names is None:
        count = _feature_count(estimator)
        if count is None:
            count = len(header) - (header[-1] == LABEL)
        if len(header) == count or (len(header) == count + 1 and header[-1] == LABEL):
            return tuple(header[:count])
        raise SourceError(
            f"rows {path} have {len(header)} columns; the estimator takes {count} features, and a "
            f"last column {LABEL!r} may hold the truth"
        )
    missing = [name for name in names if name not in header]
    unknown = [name for name in header if name not in names and name != LABEL]
    if missing or unknown:
        told = []
        if missing:
            told.append(f"leave out the features {_some(missing)}")
        if unknown:
            told.append(f"have the columns {_some(unknown)}, which the estimator does not know")
        raise SourceError(f"rows {path} {' and '.join(told)}; it takes {', '.join(names)}")
    return names


def _frame(columns: Mapping[str, list[str]]) -> Any:
    import pandas

    return pandas.DataFrame({name: _typed(column) for name, column in columns.items()})


def _typed(column: list[str]) -> list[Any]:
    """Read a column as numbers or booleans where all of it is; only an empty cell is missing.

    So the server does it, too: NA may be a country, nan and inf are no numbers.
    """
    given = [cell for cell in column if cell]
    if given and all(map(_is_number, given)):
        return [float(cell) if cell else math.nan for cell in column]
    if given and BOOLEANS.keys() >= set(given):
        return [BOOLEANS.get(cell) for cell in column]
    return [cell if cell else None for cell in column]


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not finite")
    return number


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False


def _array(table: Any) -> Any:
    """Give rows to an estimator that was fitted on an array: of floats where all are numbers."""
    import pandas

    kinds = table.dtypes
    if all(pandas.api.types.is_numeric_dtype(kind) and kind != bool for kind in kinds):  # noqa: E721
        return table.to_numpy(dtype="float64")
    return table.to_numpy(dtype=object)


def _class_names(estimator: Any, given: Sequence[str], path: Path) -> list[Any]:
    """Name the classes; for several outputs a list of names each."""
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return []
    if isinstance(classes, list):
        return [[str(entry) for entry in of.tolist()] for of in classes]
    if given and len(given) != len(classes):
        raise SourceError(
            f"classNames are {', '.join(given)}; the estimator that {path} is for has "
            f"{len(classes)} classes: {_some([str(entry) for entry in classes.tolist()])}"
        )
    return list(given) if given else [str(entry) for entry in classes.tolist()]


def _labels(estimator: Any, texts: list[str], names: Sequence[str], path: Path) -> list[Any]:
    """Turn the label column into what the estimator was fitted on: classes, or values."""
    classes = getattr(estimator, "classes_", None)
    if isinstance(classes, list):
        raise SourceError(
            f"rows {path} have a column {LABEL!r}; an estimator with several outputs takes its "
            "labels from a training script: leave the column out"
        )
    known: dict[str, Any] = {}
    if classes is not None:
        known = dict(zip(names, classes.tolist(), strict=True))
        known |= {str(entry): entry for entry in classes.tolist()}
    labels = []
    for number, text in enumerate(texts, start=1):
        try:
            labels.append(known[text] if classes is not None else _finite(text))
        except (KeyError, ValueError) as err:
            allowed = (
                f"{_some(list(known))}; other names go into the spec's classNames"
                if known
                else "numbers"
            )
            raise SourceError(
                f"rows {path} have the label {text!r} in row {number}; allowed are {allowed}"
            ) from err
    return labels


def _predicted(estimator: Any, rows: Any, path: Path) -> Any:
    """Let the estimator itself say which class a row is of: golden rows need one of each."""
    try:
        return estimator.predict(rows)
    except Exception as err:
        raise SourceError(
            f"the estimator fails on the rows in {path}: {type(err).__name__}: {err}; give rows as "
            "clients will send them"
        ) from err


def _some(names: Sequence[str]) -> str:
    more = len(names) - LONGEST_LIST
    return ", ".join(names[:LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")
