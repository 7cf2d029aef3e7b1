"""Runs a rehearsal cloud: `python -m rehearsal.cloud --port 0 --directory DIR --speed 30`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.durations import DurationKind
from rehearsal.cloud.history.again import replay_history
from rehearsal.cloud.settings import (
    DEFAULT_MAXIMUM_INSTANCES,
    DEFAULT_REGION,
    ClockKind,
    CloudSettings,
    RuntimeName,
)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or POST /rehearsal/shutdown, or replay; return an exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    try:
        if options.replay is not None:
            return replay_history(options.replay, options.directory.resolve(), seed=options.seed)
        return _serve(Cloud(_settings(options)), options.port_file)
    except SetupError as err:
        print(f"error: {err}", file=sys.stderr)
        return 2


def _settings(options: argparse.Namespace) -> CloudSettings:
    return CloudSettings(
        directory=options.directory.resolve(),
        speed=options.speed,
        seed=0 if options.seed is None else options.seed,
        port=options.port,
        region=options.region,
        maximum_instances=options.maximum_instances,
        clock=ClockKind(options.clock),
        start_time=options.start_time,
        history=options.history,
        durations=DurationKind(options.durations),
        runtime=RuntimeName(options.runtime),
    )


def _serve(cloud: Cloud, port_file: Path | None) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: cloud.shutdown.set())
    cloud.start()
    try:
        if port_file is not None:
            _write_whole(port_file, f"{cloud.port}\n")
        print(cloud.port, flush=True)
        cloud.shutdown.wait()
    finally:
        cloud.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.cloud", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port, 0 for a free one")
    parser.add_argument("--directory", type=Path, required=True, help="images, artifacts, logs")
    parser.add_argument("--speed", type=_speed, default=1.0, help="rehearsal seconds per second")
    parser.add_argument("--seed", type=int, help="seeds every choice and every id; 0")
    parser.add_argument("--port-file", type=Path, help="file the port is written to")
    parser.add_argument("--region", default=DEFAULT_REGION)
    parser.add_argument(
        "--maximum-instances",
        type=int,
        default=DEFAULT_MAXIMUM_INSTANCES,
        help="processes at once; beyond it a launch fails for lack of capacity",
    )
    parser.add_argument(
        "--clock",
        choices=[kind.value for kind in ClockKind],
        default=ClockKind.SCALED.value,
        help="scaled: time runs by itself; manual: POST /rehearsal/clock moves it",
    )
    parser.add_argument(
        "--durations",
        choices=[kind.value for kind in DurationKind],
        default=DurationKind.FAST.value,
        help="aws: provisioning, crash loops and missing capacity take AWS's minutes",
    )
    parser.add_argument("--start-time", type=float, help="epoch seconds a manual clock starts at")
    parser.add_argument("--history", type=Path, help="folder for the commands and the record")
    parser.add_argument(
        "--replay",
        type=Path,
        help="ask everything again that this history holds, and tell what came out different",
    )
    parser.add_argument(
        "--runtime",
        choices=[name.value for name in RuntimeName],
        default=RuntimeName.PROCESS.value,
        help="what an instance is: a process, or a container of the local Docker engine",
    )
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed <= 1_000:
        raise argparse.ArgumentTypeError(f"speed {text} is not above 0 and at most 1000")
    return speed


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or none."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
