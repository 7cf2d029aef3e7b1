"""granian as this server runs it: embedded in this process, with the options it is given.

Imports neither codecs nor models: benchmarks/serving puts a constant answer into this very server,
to measure what the HTTP server alone costs.
"""

from __future__ import annotations

from typing import Any

from granian.constants import HTTPModes
from granian.server.embed import Server


def http_server(application: Any, *, address: str, port: int) -> Server:
    """Make the server of an RSGI application; its `serve()` is awaited on a running loop."""
    return Server(
        application,
        address=address,
        port=port,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
