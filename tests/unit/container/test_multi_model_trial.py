"""How the end of a trial is read; the trials themselves are in the contract tests."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from server.errors import (
    ArtifactError,
    GoldenMismatchError,
    ModelMemoryError,
    ServerError,
    TrialError,
)
from server.multi_model_trial import (
    bytes_from_answer,
    document_of,
    is_worth_a_second_load,
    manifest_digest,
    measured_bytes,
)
from server.settings import Settings
from tests.support.onnx_models import an_iris_classifier

FOLDER = Path("/models/a")


def test_a_trial_says_what_the_model_takes() -> None:
    assert bytes_from_answer(FOLDER, 0, b'{"bytes": 4096}') == 4096


@pytest.mark.parametrize(
    ("code", "answer", "kind", "message"),
    [
        (-signal.SIGSEGV, b"", TrialError, "loading the model in /models/a crashed its process"),
        (-signal.SIGSEGV, b"", TrialError, "(SIGSEGV); package the model again"),
        (-signal.SIGKILL, b"", ModelMemoryError, "was killed, as the kernel does when memory runs"),
        (3, b"", TrialError, "exit code 3 and no answer; the log has what it printed"),
        (0, b"hello", TrialError, "exit code 0 and no answer"),
        (0, b'{"code": "golden_mismatch", "message": "row 0"}', GoldenMismatchError, "row 0"),
        (0, b'{"code": "insufficient_memory", "message": "no"}', ModelMemoryError, "no"),
        (0, b'{"code": "model_crashed", "message": "KeyError"}', TrialError, "KeyError"),
        (0, b'{"code": "something_new", "message": "why"}', ArtifactError, "why"),
    ],
)
def test_how_a_trial_ended_is_told_by_class_and_words(
    code: int, answer: bytes, kind: type[ServerError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        bytes_from_answer(FOLDER, code, answer)

    assert type(caught.value) is kind
    assert message in str(caught.value)


def test_a_model_is_at_least_as_large_as_its_files(tmp_path: Path) -> None:
    directory = an_iris_classifier(tmp_path, trees=2).directory
    (directory / "more").write_bytes(bytes(50_000_000))

    assert measured_bytes(directory, Settings()) >= 50_000_000


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (GoldenMismatchError("row 0"), "golden_mismatch", "row 0"),
        (KeyError("x"), "model_crashed", "loading the model in /models/a failed: KeyError: 'x'"),
        (MemoryError(), "insufficient_memory", "/models/a needs more memory than there is"),
        (RuntimeError("std::bad_alloc"), "insufficient_memory", "than there is (RuntimeError"),
    ],
)
def test_what_a_model_raises_is_told_by_code_and_words(
    error: Exception, code: str, message: str
) -> None:
    document = document_of(error, FOLDER)

    assert document["code"] == code
    assert message in str(document["message"])


def test_want_of_memory_is_seen_behind_what_was_raised_from_it() -> None:
    error = ArtifactError("model.joblib cannot be read")
    error.__cause__ = MemoryError()

    assert document_of(error, FOLDER)["code"] == "insufficient_memory"


@pytest.mark.parametrize(
    ("took_seconds", "growth_bytes", "is_worth"),
    [(0.1, 50_000_000, True), (30.0, 50_000_000, False), (0.1, 3_000_000_000, False)],
)
def test_a_large_or_slow_model_is_loaded_once_only(
    took_seconds: float, growth_bytes: int, is_worth: bool
) -> None:
    assert is_worth_a_second_load(took_seconds, growth_bytes) is is_worth


def test_a_manifest_is_known_by_its_digest_and_a_missing_one_is_not(tmp_path: Path) -> None:
    assert manifest_digest(tmp_path) is None
    (tmp_path / "manifest.json").write_bytes(b"{}")

    assert manifest_digest(tmp_path) == (
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
