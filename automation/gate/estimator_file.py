"""Reads a fitted estimator out of a file's bytes: skops first, a pickle only when it is allowed.

A skops file is read without running code of its own: the types in it are listed first, and only
scikit-learn's are taken. A joblib or pickle file runs whatever it was made to run.
"""

from __future__ import annotations

import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from automation.archive import LIMITS, refuse_above
from automation.errors import EstimatorFileError, GreenlightError
from automation.gate.inference_script import CODE_FOLDER, SCRIPT_PATH
from automation.gate.version_drift import check_fitted_with
from automation.source import ESTIMATOR_SUFFIXES, SKOPS_SUFFIX

# Parts of scikit-learn's estimators that skops has no list of: classes, and functions that compute
# and do nothing else. The server has the same.
TRUSTED_PREFIXES = (
    "builtins.object",
    "functools.partial",
    "numpy.dtype",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn._loss.",
    "sklearn.calibration._",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.",
    "sklearn.linear_model._sgd_fast.",
    "sklearn.metrics._dist_metrics.",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neighbors._ball_tree.",
    "sklearn.neighbors._kd_tree.",
    "sklearn.neural_network._stochastic_optimizers.",
    "sklearn.tree._tree.",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
)
SCHEMA_NAME = "schema.json"
_PICKLED_VERSION = re.compile(rb"_sklearn_version[\x00-\xff]{0,8}?(\d+\.\d+[.\w]*)")
HOW_TO_SAVE = "save it with `skops.io.dump(estimator, 'model.skops')`"


def estimator_from_files(
    files: Mapping[str, bytes], name: str, *, allow_pickle: bool
) -> tuple[str, Any]:
    """Find the one estimator among the files of an archive and read it.

    Args:
        name: what the archive is called in errors.

    Returns:
        the file's path in the archive, and the estimator.

    Raises:
        EstimatorFileError: there is none or more than one, or it cannot be taken.
        VersionDriftError: it was fitted by another scikit-learn than the one installed here.
    """
    named = [path for path in files if _may_be_estimator(path)]
    # An archive often holds the same estimator in both forms; the one that runs no code is taken.
    found = [path for path in named if path.endswith(SKOPS_SUFFIX)]
    if not found:
        found = named
    if len(found) != 1:
        held = ", ".join(sorted(found)) if found else f"none, but {_some_of(files)}"
        advice = "leave one of them in it" if found else HOW_TO_SAVE
        also = ""
        if SCRIPT_PATH in files:
            also = "; what only its script can read cannot be proven equal to scikit-learn"
        raise EstimatorFileError(
            f"{name} has to hold exactly one estimator file ({', '.join(ESTIMATOR_SUFFIXES)}); it "
            f"holds {held}; {advice}{also}"
        )
    path, content = found[0], files[found[0]]
    return path, estimator_from_bytes(content, path, allow_pickle=allow_pickle, held_in=name)


def estimator_from_bytes(
    content: bytes, path: str, *, allow_pickle: bool, held_in: str = ""
) -> Any:
    """Read an estimator file.

    Args:
        path: its end says of which kind it is.
        held_in: the archive that holds it, for errors.

    Raises:
        EstimatorFileError: of another kind, damaged, with types skops does not trust, a pickle
            that was not allowed, or no fitted estimator.
        VersionDriftError: fitted by another scikit-learn than the one installed here.
    """
    name = held_in if held_in.endswith(path) else f"{path} in {held_in}"
    if not held_in:
        name = path
    if not path.endswith(ESTIMATOR_SUFFIXES):
        raise EstimatorFileError(
            f"estimator file {name} ends in {PurePosixPath(path).suffix!r}; "
            f"allowed are {', '.join(ESTIMATOR_SUFFIXES)}"
        )
    is_skops = path.endswith(SKOPS_SUFFIX)
    if not is_skops and not allow_pickle:
        raise EstimatorFileError(
            f"{name} is a pickle, which runs code when it is read; {HOW_TO_SAVE}, or give "
            "--allow-pickle to `greenlight package` for a file you made yourself"
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = _from_skops(content, name) if is_skops else _from_pickle(content, name)
    for entry in caught:
        version = getattr(entry.message, "original_sklearn_version", None)
        if version is not None:
            check_fitted_with(version, name)
    if not hasattr(estimator, "predict") or not is_fitted(estimator):
        raise EstimatorFileError(
            f"{name} holds a {type(estimator).__name__}, which is no fitted estimator with "
            "predict; save what `fit` returned"
        )
    step = first_step_of_no_rows(estimator)
    if step is not None:
        raise EstimatorFileError(f"{name} holds {told_of_no_rows(step)}")
    return estimator


def untrusted_types(content: bytes) -> list[str]:
    """Name the types in a skops file that are neither skops' nor scikit-learn's own."""
    from skops import io as skops_io

    unknown = skops_io.get_untrusted_types(data=content)
    return [name for name in unknown if not name.startswith(TRUSTED_PREFIXES)]


def load_skops(content: bytes) -> Any:
    """Load a skops file after its types were looked at with `untrusted_types`."""
    from skops import io as skops_io

    unknown = skops_io.get_untrusted_types(data=content)
    trusted = [name for name in unknown if name.startswith(TRUSTED_PREFIXES)]
    return skops_io.loads(content, trusted=trusted)


def _from_skops(content: bytes, name: str) -> Any:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            refuse_above(unpacked, LIMITS.unpacked_bytes, f"{name}, unpacked,")
            schema = json.loads(archive.read(SCHEMA_NAME))
        # Before the types: an older file often holds types that are no longer there.
        for version in sorted(set(_fitted_versions(schema))):
            check_fitted_with(version, name)
        untrusted = untrusted_types(content)
        if untrusted:
            raise EstimatorFileError(
                f"{name} holds types skops does not know to be safe: {', '.join(untrusted)}; "
                "use estimators of scikit-learn alone"
            )
        return load_skops(content)
    except GreenlightError:
        raise
    except Exception as err:
        raise EstimatorFileError(
            f"{name} cannot be read: {type(err).__name__}: {err}; write it anew with "
            "`skops.io.dump(estimator, 'model.skops')`"
        ) from err


def _from_pickle(content: bytes, name: str) -> Any:
    import joblib

    # Before it is read: what another scikit-learn wrote often breaks on the way in.
    fitted = _PICKLED_VERSION.search(content)
    if fitted is not None:
        check_fitted_with(fitted.group(1).decode(), name)
    try:
        return joblib.load(io.BytesIO(content))
    except Exception as err:
        raise EstimatorFileError(
            f"{name} cannot be read: {type(err).__name__}: {err}; if another version of "
            "scikit-learn or Python made it, train it again here"
        ) from err


def is_fitted(estimator: Any) -> bool:
    """Tell whether an estimator is one of scikit-learn's kind, and fitted."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError):
        return False
    return True


def first_step_of_no_rows(estimator: Any) -> str | None:
    """Name the first step of an estimator that takes texts or dicts, where ours are rows."""
    from sklearn.feature_extraction import DictVectorizer, FeatureHasher
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

    first = getattr(estimator, "best_estimator_", estimator)
    while getattr(first, "steps", None):
        first = first.steps[0][1]
    kinds = (CountVectorizer, HashingVectorizer, DictVectorizer, FeatureHasher)
    return type(first).__name__ if isinstance(first, kinds) else None


def told_of_no_rows(step: str) -> str:
    """Say of such an estimator what to do."""
    return (
        f"an estimator whose first step, {step}, takes no rows of columns, which is what is sent "
        f"to an endpoint; fit it on a table, with ColumnTransformer([('text', {step}(...), "
        "'COLUMN')]) as its first step"
    )


def _fitted_versions(node: object) -> Iterator[str]:
    """Find every `_sklearn_version` in a skops schema; each estimator in it says its own."""
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            entry = node.get("_sklearn_version")
            if isinstance(entry, dict) and isinstance(entry.get("content"), str):
                yield entry["content"].strip('"')
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _may_be_estimator(path: str) -> bool:
    parts = PurePosixPath(path).parts
    # macOS puts a `._` twin beside every file; `code` is the inference script's.
    return (
        path.endswith(ESTIMATOR_SUFFIXES)
        and parts[0] != CODE_FOLDER
        and not parts[-1].startswith("._")
    )


def _some_of(files: Mapping[str, bytes]) -> str:
    names = sorted(files)
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else (shown or "no file at all")
