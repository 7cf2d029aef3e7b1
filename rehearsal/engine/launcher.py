"""Runs a Pulumi program, or its dynamic providers, in the program's own interpreter.

Started as a plain script, so it may import nothing but the standard library and the `pulumi`
package; the engine writes one JSON document to its standard input and closes that only when the
engine itself is gone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import runpy
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

FAILED_AND_REPORTED = 32


def main() -> int:
    """Do what the document on standard input says, and return the exit code."""
    folder = sys.argv[2]
    os.chdir(folder)
    sys.path[0] = folder
    # Most of a short program's time goes into this import; it happens before the engine is ready.
    import pulumi  # noqa: F401

    document = json.loads(sys.stdin.readline() or "null")
    if document is None:
        return 1
    threading.Thread(target=_follow_engine, daemon=True).start()
    if sys.argv[1] == "dynamic":
        sys.argv = ["pulumi.dynamic", document["engine"]]
        runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
        return 0
    return _run_program(document)


def _follow_engine() -> None:
    # Read below Python's buffer: a thread that holds the buffer's lock at exit aborts the
    # interpreter.
    while os.read(0, 1):
        continue
    os._exit(1)


def _run_program(document: dict[str, Any]) -> int:
    import pulumi
    import pulumi.runtime

    pulumi.runtime.configure(pulumi.runtime.Settings(**document["settings"]))
    pulumi.runtime.set_all_config(document["config"], document["config_secret_keys"])
    parallel = document["settings"]["parallel"]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(max_workers=max(parallel, 1) * 4))
    # Tasks that fail after the first failure would be reported as never retrieved.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop.set_exception_handler(lambda *_: None)
    entry = document["entry_point"]
    try:
        return _run_in_stack(loop, entry)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        sys.stdout.flush()
        sys.stderr.flush()


def _run_in_stack(loop: asyncio.AbstractEventLoop, entry: str) -> int:
    import grpc
    import pulumi
    import pulumi.runtime

    def run() -> None:
        runpy.run_path(entry, run_name="__main__")

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            pulumi.log.error(_unhandled(entry))
    except Exception:  # noqa: BLE001 - whatever a user's program raises is reported, not ours to handle
        pulumi.log.error(_unhandled(entry))
    else:
        return 0
    return FAILED_AND_REPORTED


def _unhandled(entry: str) -> str:
    kind, error, trace = sys.exc_info()
    program = os.path.abspath(entry)
    frames = traceback.extract_tb(trace)
    mine = (
        i for i, frame in enumerate(frames) if os.path.abspath(frame.filename).startswith(program)
    )
    first = next(mine, 0)
    text = traceback.format_exception(kind, error, trace, limit=first - len(frames))
    return "Program failed with an unhandled exception:\n" + "".join(text)


if __name__ == "__main__":
    # Threads of an unfinished registration must not keep the process.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
