"""`python -m rehearsal.provider --cloud URL --port-file FILE`: both stand-ins, until SIGTERM."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from rehearsal.provider.configuration import LOOPBACK
from rehearsal.provider.registry import AWS, DOCKER, Package
from rehearsal.provider.schema import read_schema
from rehearsal.provider.server import STOP_GRACE_SECONDS, start_server

USAGE_EXIT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.provider", description=__doc__)
    parser.add_argument("--cloud", required=True, help="the rehearsal cloud's loopback URL")
    parser.add_argument("--port-file", required=True, type=Path, help="gets the ports, as JSON")
    given = parser.parse_args(arguments)
    if urlsplit(given.cloud).hostname not in LOOPBACK:
        print(
            f"--cloud {given.cloud!r} is not this machine; allowed: http://127.0.0.1:PORT of a"
            " rehearsal's cloud",
            file=sys.stderr,
        )
        return USAGE_EXIT
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    servers = {package.name: start_server(package, given.cloud) for package in (AWS, DOCKER)}
    write_ports(given.port_file, {name: port for name, (_, port) in servers.items()})
    threading.Thread(target=read_schemas, args=((AWS, DOCKER),), daemon=True).start()
    stopped.wait()
    for server, _ in servers.values():
        server.stop(STOP_GRACE_SECONDS).wait()
    return 0


def read_schemas(packages: Sequence[Package]) -> None:
    """Import the packages while nothing waits for them yet; some seconds in all."""
    for package in packages:
        for entry in package.types.values():
            read_schema(entry.schema)


def write_ports(file: Path, ports: dict[str, int]) -> None:
    """Write the ports so that a reader sees all of the file or none."""
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(ports))
    os.replace(partial, file)


if __name__ == "__main__":
    sys.exit(main())
