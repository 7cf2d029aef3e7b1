"""Runs the application under granian in this very process, and drains it on SIGTERM.

The embedded server has no worker processes, so none can be left behind whatever kills this one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from time import perf_counter
from typing import TYPE_CHECKING

from .application import Application
from .direct import DirectLoop
from .errors import ArtifactError, SettingsError
from .http_server import http_server
from .logs import log
from .predictor import load_served
from .settings import Settings
from .stray_output import log_stray_output

if TYPE_CHECKING:
    from .predictor import ModelPredictor
    from .script_predictor import ScriptPredictor


def serve(settings: Settings) -> None:
    """Load the model, serve until SIGTERM or SIGINT, drain, and return.

    A model that fails its checks does not end the process: /ping says why until somebody reads it.

    Raises:
        SettingsError: the port cannot be listened on
    """
    check_port_is_free(settings.bind_address, settings.port)
    log_stray_output(settings.log_level)
    application = of_many_models(settings) if settings.is_multi_model else of_one_model(settings)
    with asyncio.Runner(loop_factory=DirectLoop) as runner:
        runner.run(_serve(settings, application))
    log(logging.INFO, "stopped")


def of_one_model(settings: Settings) -> Application:
    """Make the application of the model in the model directory."""
    started = perf_counter()
    predictor: ModelPredictor | ScriptPredictor | None = None
    unavailable: ArtifactError | None = None
    try:
        predictor = load_served(settings.model_directory, settings)
    except ArtifactError as error:
        unavailable = error
        log(logging.ERROR, "model_refused", code=error.code, cause=str(error))
    else:
        log(
            logging.INFO,
            "model_ready",
            model=predictor.manifest.model,
            files=dict(predictor.manifest.files),
            load_ms=round((perf_counter() - started) * 1000),
        )
    return Application(settings, predictor, unavailable)


def of_many_models(settings: Settings) -> Application:
    """Make the application of models that are loaded on request; none is at first."""
    from .multi_model import MultiModel, TrialLoader
    from .multi_model_memory import default_budget_bytes
    from .multi_model_routes import ModelRoutes

    budget_bytes = settings.model_memory_bytes or default_budget_bytes()
    log(logging.INFO, "multi_model", budget_bytes=budget_bytes, makes_room=settings.makes_room)
    models = MultiModel(
        TrialLoader(settings), budget_bytes=budget_bytes, makes_room=settings.makes_room
    )
    return Application(settings, None, models=ModelRoutes(models))


def check_port_is_free(address: str, port: int) -> None:
    """Refuse a port somebody listens on; granian would share it and answer some of the requests.

    Raises:
        SettingsError: the address cannot be bound
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        raise SettingsError(
            [
                f"cannot listen on {address}:{port} ({error.strerror}); give another port in "
                "SAGEMAKER_BIND_TO_PORT, or end what listens there"
            ]
        ) from error


async def _serve(settings: Settings, application: Application) -> None:
    server = http_server(
        application,
        address=settings.bind_address,
        port=settings.port,
        taker=application.direct,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = loop.create_task(server.serve())
    log(logging.INFO, "listening", address=settings.bind_address, port=settings.port)
    stopping = loop.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        log(logging.INFO, "draining", drain_seconds=settings.drain_seconds)
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait({serving}, timeout=settings.drain_seconds)
    if not serving.done():
        log(logging.ERROR, "drain_timed_out", drain_seconds=settings.drain_seconds)
        # granian's threads hold the open requests and cannot be told to give up.
        os._exit(1)
    stopping.cancel()
    serving.result()
