"""SageMaker's side of a multi-model container, for tests; no tests here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import requests

from tests.support.container_process import Server, started_server

FLOWER = {"instances": [[5.1, 3.5, 1.4, 0.2]]}


class Platform:
    """What SageMaker does with a multi-model container.

    Args:
        shelf: the folder of all models, as the server sees it
    """

    def __init__(self, server: Server, shelf: Path | str) -> None:
        self.server = server
        self.shelf = shelf

    def load(self, name: str, folder: str) -> requests.Response:
        body = {"model_name": name, "url": self.url_of(folder)}
        return requests.post(self.server.url("/models"), json=body, timeout=60)

    def url_of(self, folder: str) -> str:
        return f"{self.shelf}/{folder}"

    def unload(self, name: str) -> requests.Response:
        return requests.delete(self.path(name), timeout=10)

    def get(self, name: str) -> requests.Response:
        return requests.get(self.path(name), timeout=10)

    def invoke(self, name: str, body: object = FLOWER, **headers: str) -> requests.Response:
        return requests.post(f"{self.path(name)}/invoke", json=body, headers=headers, timeout=10)

    def path(self, name: str) -> str:
        return self.server.url(f"/models/{quote(name, safe='')}")

    def names(self) -> list[str]:
        """List all models, page by page."""
        found: list[str] = []
        token = ""
        while True:
            query = f"?next_page_token={quote(token)}" if token else ""
            page = self.server.get(f"/models{query}").json()
            found += [model["modelName"] for model in page["models"]]
            token = page.get("nextPageToken", "")
            if not token:
                return found

    def clear(self) -> None:
        for name in self.names():
            assert self.unload(name).status_code == 200


def code_of(answer: requests.Response) -> str:
    code: str = answer.json()["error"]["code"]
    return code


@contextmanager
def a_process(folder: Path, shelf: Path, **environment: str) -> Iterator[Platform]:
    """Start a server of its own for what only a process can show."""
    with started_server(
        folder, folder / "server.log", SAGEMAKER_MULTI_MODEL="true", **environment
    ) as server:
        server.wait_until_pinged()
        yield Platform(server, shelf)
