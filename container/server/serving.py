"""Runs the application under granian, and drains it on SIGTERM.

One worker is this very process: the embedded server has no others, so none can be left behind
whatever kills it. Several are forked by `workers`, each of which then runs what is here.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import logging
import os
import signal
import socket
from time import perf_counter
from typing import TYPE_CHECKING

from .application import Application
from .direct import DirectLoop
from .errors import ArtifactError
from .http_server import http_server
from .logs import log
from .metrics import Metrics
from .predictor import load_served
from .settings import Settings
from .statuses import codes
from .stray_output import log_stray_output
from .workers import bound_socket

if TYPE_CHECKING:
    from .predictor import ModelPredictor
    from .script_predictor import ScriptPredictor

COLLECTOR_THRESHOLDS = (10_000, 20, 100)
"""Rarer than Python's own: requests leave no cycles behind, but for failed ones."""


def serve(settings: Settings) -> int:
    """Serve in this process until SIGTERM or SIGINT, drain, and return the exit code.

    A model that fails its checks does not end the process: /ping says why until somebody reads it.

    Raises:
        SettingsError: the port cannot be listened on
    """
    bound_socket(settings.bind_address, settings.port).close()
    return _serve_until_told(settings, Metrics(codes(), workers=1))


def work(settings: Settings, worker: int, listener: socket.socket, metrics: Metrics) -> int:
    """Serve as one of several workers, likewise."""
    return _serve_until_told(settings, metrics, worker=worker, listener=listener)


def _serve_until_told(
    settings: Settings,
    metrics: Metrics,
    *,
    worker: int = 0,
    listener: socket.socket | None = None,
) -> int:
    log_stray_output(settings.log_level)
    if settings.is_multi_model:
        application = of_many_models(settings, metrics)
    else:
        application = of_one_model(settings, metrics, worker)
    spare_the_collector()
    with asyncio.Runner(loop_factory=DirectLoop) as runner:
        code = runner.run(_serve(settings, application, listener))
    log(logging.INFO, "stopped")
    return code


def spare_the_collector() -> None:
    """Leave what was loaded to itself; the collector would walk it in the midst of a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


def of_one_model(settings: Settings, metrics: Metrics, worker: int) -> Application:
    """Make the application of the model in the model directory."""
    started = perf_counter()
    predictor: ModelPredictor | ScriptPredictor | None = None
    unavailable: ArtifactError | None = None
    labels: dict[str, str] = {}
    try:
        predictor = load_served(settings.model_directory, settings)
    except ArtifactError as error:
        unavailable = error
        log(logging.ERROR, "model_refused", code=error.code, cause=str(error))
    else:
        labels = labels_of(predictor)
        log(
            logging.INFO,
            "model_ready",
            model=predictor.manifest.model,
            files=dict(predictor.manifest.files),
            load_ms=round((perf_counter() - started) * 1000),
        )
    return Application(
        settings, predictor, unavailable, metrics=metrics, worker=worker, labels=labels
    )


def labels_of(predictor: ModelPredictor | ScriptPredictor) -> dict[str, str]:
    """Say for the metrics which model this is: its name, what runs it, and its files' digest."""
    files = json.dumps(dict(predictor.manifest.files), sort_keys=True)
    return {
        "model": predictor.manifest.model,
        "runtime": predictor.runtime_name,
        "files": hashlib.sha256(files.encode()).hexdigest()[:16],
    }


def of_many_models(settings: Settings, metrics: Metrics) -> Application:
    """Make the application of models that are loaded on request; none is at first."""
    from .multi_model import MultiModel, TrialLoader
    from .multi_model_memory import default_budget_bytes
    from .multi_model_routes import ModelRoutes

    budget_bytes = settings.model_memory_bytes or default_budget_bytes()
    log(logging.INFO, "multi_model", budget_bytes=budget_bytes, makes_room=settings.makes_room)
    models = MultiModel(
        TrialLoader(settings), budget_bytes=budget_bytes, makes_room=settings.makes_room
    )
    return Application(settings, None, models=ModelRoutes(models), metrics=metrics)


async def _serve(
    settings: Settings, application: Application, listener: socket.socket | None
) -> int:
    server = http_server(
        application,
        address=settings.bind_address,
        port=settings.port,
        taker=application.direct,
        listener=listener,
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
    return 0
