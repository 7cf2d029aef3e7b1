"""moto's server for provider tests: every call it gets is counted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


class CountingCloud:
    """A moto server on a free port.

    Args:
        calls: `METHOD path target` of every request so far
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._inner = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        self.calls.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {target}")
        return self._inner(environ, start_response)

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def forget_other_tests() -> None:
    """Empty moto, whose state is one for the process and holds what other tests left in it.

    The rehearsal cloud's own CloudWatch goes first: it is no backend that moto could start anew.
    """
    cloudwatch_backends.clear()
    moto_api_backend.reset()


@contextmanager
def counting_cloud() -> Iterator[CountingCloud]:
    """A moto server for the time of a `with`, empty at first; its own log is silenced."""
    forget_other_tests()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    cloud = CountingCloud()
    thread = threading.Thread(target=cloud.serve, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        cloud.stop()
        thread.join()
