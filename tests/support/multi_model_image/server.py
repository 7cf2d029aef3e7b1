"""A server that follows SageMaker's custom container contract for multi-model endpoints.

A model is a directory with a file `name`; it answers with what the file says. The body `forget`
makes the server drop the model after its answer. Environment variables make it misbehave.

MULTI_MEMORY        how many models fit; a load beyond it is answered 507 (default 100)
MULTI_LOAD_SECONDS  how long a load takes
MULTI_LOAD_STATUS   status of every load
MULTI_NO_LIST       GET /models answers 404
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PAGE = 2
MODELS: dict[str, str] = {}
LOCK = threading.Lock()


def say(line: str) -> None:
    """Write a line at once: threads write at the same time, and print() writes in two parts."""
    sys.stdout.write(f"{line}\n")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/ping":
            self._answer(200, {})
        elif parts.path == "/models" and "MULTI_NO_LIST" not in os.environ:
            self._list(parse_qs(parts.query))
        else:
            name = parts.path.removeprefix("/models/")
            self._answer(200 if name in MODELS else 404, {"modelName": name})

    def _list(self, query: dict[str, list[str]]) -> None:
        first = int(query.get("next_page_token", ["0"])[0])
        names = sorted(MODELS)
        answer: dict[str, object] = {
            "models": [
                {"modelName": name, "modelUrl": MODELS[name]}
                for name in names[first : first + PAGE]
            ]
        }
        if first + PAGE < len(names):
            answer["nextPageToken"] = str(first + PAGE)
        self._answer(200, answer)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/models":
            self._load(json.loads(body))
        else:
            self._invoke(self.path.split("/")[2], body)

    def _load(self, asked: dict[str, str]) -> None:
        time.sleep(float(os.environ.get("MULTI_LOAD_SECONDS", "0")))
        status = int(os.environ.get("MULTI_LOAD_STATUS", "200"))
        with LOCK:
            if asked["model_name"] in MODELS:
                status = 409
            elif len(MODELS) >= int(os.environ.get("MULTI_MEMORY", "100")):
                status = 507
            if status == 200:
                MODELS[asked["model_name"]] = asked["url"]
        say(f"load {asked['model_name']} from {asked['url']}: {status}")
        self._answer(status, {"message": f"load answered {status}"})

    def _invoke(self, model: str, body: bytes) -> None:
        if model not in MODELS:
            self._answer(404, {"message": "not loaded"})
            return
        answer = {
            "name": (Path(MODELS[model]) / "name").read_text(),
            "url": MODELS[model],
            "target_model": self.headers.get("X-Amzn-SageMaker-Target-Model"),
            "content_type": self.headers.get("Content-Type"),
            "loaded": len(MODELS),
            "multi_model": os.environ.get("SAGEMAKER_MULTI_MODEL"),
            "pid": os.getpid(),
        }
        if body == b"forget":
            with LOCK:
                MODELS.pop(model, None)
        self._answer(200, answer)

    def do_DELETE(self) -> None:
        with LOCK:
            found = MODELS.pop(self.path.removeprefix("/models/"), None)
        say(f"unload {self.path}: {found}")
        self._answer(404 if found is None else 200, {})

    def _answer(self, status: int, members: Mapping[str, object]) -> None:
        data = json.dumps(members).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        say(format % args)


if __name__ == "__main__":
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    say(f"serving on {port}")
    # As process 1 of a container the signal alone would do nothing.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    address = os.environ.get("GREENLIGHT_BIND_ADDRESS", "0.0.0.0")
    ThreadingHTTPServer((address, port), Handler).serve_forever()
