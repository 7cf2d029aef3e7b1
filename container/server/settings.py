"""The server's settings, read from the environment once, with every limit named.

`SAGEMAKER_*` and `SM_*` names are the platform's; `GREENLIGHT_*` are ours and are set through the
`environment` of the endpoint's model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .errors import SettingsError

LOG_LEVELS = (10, 20, 30, 40, 50)
MEGABYTE = 1024 * 1024
LARGEST_BODY_BYTES = 100 * MEGABYTE
MOST_WORKERS = 256
LARGEST_ROW_COUNT = 1_000_000


class RuntimeChoice(StrEnum):
    """What may answer: the best there is, or ONNX Runtime in any case."""

    AUTO = "auto"
    ONNX = "onnx"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the server can be told.

    Args:
        bind_address: interface to listen on
        port: TCP port to listen on
        model_directory: folder of the unpacked artifact
        max_body_bytes: largest request body; SageMaker itself passes no more than the default
        max_rows: most instances in one request
        max_explained_rows: most instances in one request that asks for explanations, which cost a
            thousand times what predictions do
        inline_rows: up to so many instances are predicted where they arrive; more go to a thread,
            so that /ping answers meanwhile
        body_timeout_seconds: how long a client may take to send its body
        drain_seconds: how long in-flight requests may take after SIGTERM; SageMaker sends SIGKILL
            after 30 s
        log_level: Python's number of the lowest level logged
        runtime: what may answer for an ONNX model
        workers: processes that serve; 0 is one for each processor. A multi-model server has one
        allows_pickle: whether an estimator may be read from a pickle, which runs code
        program: the inference script, in the artifact's folder `code`
        is_multi_model: many models, loaded and unloaded by requests, instead of the one in
            `model_directory`
        model_memory_bytes: what those may take together; 0 is a share of the memory there is
        makes_room: whether the least recently used model goes when a new one does not fit; else
            the new one is refused, and SageMaker chooses what goes
    """

    bind_address: str = "0.0.0.0"
    port: int = 8080
    model_directory: Path = Path("/opt/ml/model")
    max_body_bytes: int = 6 * MEGABYTE
    max_rows: int = 10_000
    max_explained_rows: int = 100
    inline_rows: int = 256
    body_timeout_seconds: int = 30
    drain_seconds: int = 25
    log_level: int = 20
    runtime: RuntimeChoice = RuntimeChoice.AUTO
    workers: int = 0
    allows_pickle: bool = False
    program: str = "inference.py"
    is_multi_model: bool = False
    model_memory_bytes: int = 0
    makes_room: bool = False


def settings_from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings; what is left out or empty gets its default.

    Raises:
        SettingsError: values out of range or not numbers, all of them in one error
    """
    given = _Environment(environment)
    defaults = _defaults(given)
    log_level = given.number("SAGEMAKER_CONTAINER_LOG_LEVEL", defaults.log_level, 10, 50)
    if log_level not in LOG_LEVELS:
        given.problems.append(
            f"SAGEMAKER_CONTAINER_LOG_LEVEL is '{log_level}'; give one of "
            f"{', '.join(map(str, LOG_LEVELS))}"
        )
    settings = Settings(
        bind_address=given.text("GREENLIGHT_BIND_ADDRESS", defaults.bind_address),
        port=given.number("SAGEMAKER_BIND_TO_PORT", defaults.port, 1, 65535),
        model_directory=Path(given.text("SM_MODEL_DIR", str(defaults.model_directory))),
        max_body_bytes=given.number(
            "GREENLIGHT_MAX_BODY_BYTES", defaults.max_body_bytes, 1024, LARGEST_BODY_BYTES
        ),
        max_rows=given.number("GREENLIGHT_MAX_ROWS", defaults.max_rows, 1, LARGEST_ROW_COUNT),
        max_explained_rows=given.number(
            "GREENLIGHT_MAX_EXPLAINED_ROWS", defaults.max_explained_rows, 1, LARGEST_ROW_COUNT
        ),
        inline_rows=given.number("GREENLIGHT_INLINE_ROWS", defaults.inline_rows, 0, 1_000_000),
        body_timeout_seconds=given.number(
            "GREENLIGHT_BODY_TIMEOUT_SECONDS", defaults.body_timeout_seconds, 1, 3600
        ),
        drain_seconds=given.number("GREENLIGHT_DRAIN_SECONDS", defaults.drain_seconds, 1, 3600),
        log_level=log_level,
        workers=given.number("SAGEMAKER_MODEL_SERVER_WORKERS", 0, 1, MOST_WORKERS),
        runtime=RuntimeChoice(given.choice("GREENLIGHT_RUNTIME", tuple(RuntimeChoice))),
        allows_pickle=given.choice("GREENLIGHT_ALLOW_PICKLE", ("false", "true")) == "true",
        program=given.program(defaults.program),
        is_multi_model=given.choice("SAGEMAKER_MULTI_MODEL", ("false", "true")) == "true",
        model_memory_bytes=given.number("GREENLIGHT_MODEL_MEMORY_BYTES", 0, 0, 2**62),
        makes_room=given.choice("GREENLIGHT_MODEL_EVICTION", ("platform", "server")) == "server",
    )
    if given.problems:
        raise SettingsError(given.problems)
    return settings


def _defaults(given: _Environment) -> Settings:
    """Give what is taken where nothing is said; a batch job's requests are as large as it says.

    Source: SageMaker Developer Guide, "Use your own inference code with batch transform"
    """
    if given.choice("SAGEMAKER_BATCH", ("false", "true")) == "false":
        return Settings()
    megabytes = given.number("SAGEMAKER_MAX_PAYLOAD_IN_MB", 6, 0, LARGEST_BODY_BYTES // MEGABYTE)
    # 0 megabytes means payloads of any size. Mini-batches are filled by size: rows aren't counted.
    return Settings(
        max_body_bytes=megabytes * MEGABYTE if megabytes else LARGEST_BODY_BYTES,
        max_rows=LARGEST_ROW_COUNT,
        max_explained_rows=LARGEST_ROW_COUNT,
    )


class _Environment:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._variables = variables

    def text(self, name: str, default: str) -> str:
        """Give a text as it is, or the default where nothing is given."""
        text = self._variables.get(name, "")
        return default if text == "" else text

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """Give a whole number, or the default where nothing is given."""
        text = self._variables.get(name, "")
        if text == "":
            return default
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
        if value is None or not lowest <= value <= highest:
            self.problems.append(
                f"{name} is {text[:40]!r}; give a whole number from {lowest} to {highest}, "
                f"or leave it out for {default}"
            )
            return default
        return value

    def program(self, default: str) -> str:
        """Give the name of the inference script; it is served from the artifact and nowhere else.

        Source: sagemaker-inference toolkit, `environment.py` and `parameters.py`
        """
        folder = self._variables.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
        if not folder.removeprefix("file://").rstrip("/").endswith(("", "/code")):
            self.problems.append(
                f"SAGEMAKER_SUBMIT_DIRECTORY is {folder[:80]!r}; a script is served from the "
                "artifact's folder `code` alone: package it with the model, and leave this out"
            )
        name = self._variables.get("SAGEMAKER_PROGRAM", "")
        if name and not (name.endswith(".py") and "/" not in name):
            self.problems.append(
                f"SAGEMAKER_PROGRAM is {name[:80]!r}; give the name of a Python file in the "
                f"artifact's folder `code`, or leave it out for {default}"
            )
        return name if name else default

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """Give one of the words allowed, in any case; the first where nothing is given."""
        text = self._variables.get(name, "")
        if text == "":
            return allowed[0]
        if text.lower() not in allowed:
            self.problems.append(
                f"{name} is {text[:40]!r}; give {' or '.join(allowed)}, or leave it out for "
                f"{allowed[0]}"
            )
            return allowed[0]
        return text.lower()
