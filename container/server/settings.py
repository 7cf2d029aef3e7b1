"""The server's settings, read from the environment once, with every limit named.

`SAGEMAKER_*` and `SM_*` names are the platform's; `GREENLIGHT_*` are ours and are set through the
`environment` of the endpoint's model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import SettingsError

LOG_LEVELS = (10, 20, 30, 40, 50)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the server can be told.

    Args:
        bind_address: interface to listen on
        port: TCP port to listen on
        model_directory: folder with model.onnx, manifest.json and golden.json
        max_body_bytes: largest request body; SageMaker itself passes no more than the default
        max_rows: most instances in one request
        inline_rows: up to so many instances are predicted on the event loop; more go to a thread,
            so that /ping answers meanwhile
        body_timeout_seconds: how long a client may take to send its body
        drain_seconds: how long in-flight requests may take after SIGTERM; SageMaker sends SIGKILL
            after 30 s
        log_level: Python's number of the lowest level logged
    """

    bind_address: str = "0.0.0.0"
    port: int = 8080
    model_directory: Path = Path("/opt/ml/model")
    max_body_bytes: int = 6 * 1024 * 1024
    max_rows: int = 10_000
    inline_rows: int = 64
    body_timeout_seconds: int = 30
    drain_seconds: int = 25
    log_level: int = 20


def settings_from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings; what is left out or empty gets its default.

    Raises:
        SettingsError: values out of range or not numbers, all of them in one error
    """
    problems: list[str] = []
    defaults = Settings()

    def number(name: str, default: int, lowest: int, highest: int) -> int:
        text = environment.get(name, "")
        if text == "":
            return default
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
        if value is None or not lowest <= value <= highest:
            problems.append(
                f"{name} is {text[:40]!r}; give a whole number from {lowest} to {highest}, "
                f"or leave it out for {default}"
            )
            return default
        return value

    log_level = number("SAGEMAKER_CONTAINER_LOG_LEVEL", defaults.log_level, 10, 50)
    if log_level not in LOG_LEVELS:
        problems.append(
            f"SAGEMAKER_CONTAINER_LOG_LEVEL is '{log_level}'; give one of "
            f"{', '.join(map(str, LOG_LEVELS))}"
        )
    settings = Settings(
        bind_address=environment.get("GREENLIGHT_BIND_ADDRESS", defaults.bind_address),
        port=number("SAGEMAKER_BIND_TO_PORT", defaults.port, 1, 65535),
        model_directory=Path(environment.get("SM_MODEL_DIR", str(defaults.model_directory))),
        max_body_bytes=number(
            "GREENLIGHT_MAX_BODY_BYTES", defaults.max_body_bytes, 1024, 100 * 1024 * 1024
        ),
        max_rows=number("GREENLIGHT_MAX_ROWS", defaults.max_rows, 1, 1_000_000),
        inline_rows=number("GREENLIGHT_INLINE_ROWS", defaults.inline_rows, 0, 1_000_000),
        body_timeout_seconds=number(
            "GREENLIGHT_BODY_TIMEOUT_SECONDS", defaults.body_timeout_seconds, 1, 3600
        ),
        drain_seconds=number("GREENLIGHT_DRAIN_SECONDS", defaults.drain_seconds, 1, 3600),
        log_level=log_level,
    )
    if problems:
        raise SettingsError(problems)
    return settings
