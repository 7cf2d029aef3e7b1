"""Where contestants meet: one core for the server, the others for the load, one after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.checking import ask, check
from benchmarks.serving.contestant import Contestant
from benchmarks.serving.server_process import (
    ContestantError,
    Running,
    free_port,
    own_cores,
    started,
)
from benchmarks.serving.workload import Workload
from benchmarks.serving.wrk import Load, run_wrk

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Arena:
    """The place of one run.

    Args:
        directory: for bodies, answers and logs
        python: gives the interpreter of a contestant's environment
    """

    directory: Path
    python: Callable[[str], Path]

    @contextlib.contextmanager
    def running(self, contestant: Contestant, workload: Workload) -> Iterator[Running]:
        """Start a contestant with a workload's model; the floor gets an answer of this workload."""
        # Not resolved: an environment's interpreter is a link, and finds its libraries by it.
        python, port = self.python(contestant.environment), free_port()
        command, variables = contestant.filled(
            {
                "python": str(python),
                "bin": str(python.parent),
                "port": str(port),
                "second_port": str(free_port()),
                "third_port": str(free_port()),
                "artifact": str(workload.model.artifact),
                "pickle": str(workload.model.pickle),
                "answer": str(self._answer_path(workload)),
                "scratch": str(self.directory),
            }
        )
        with started(
            command,
            directory=contestant.directory,
            variables=variables,
            port=port,
            ping_path=contestant.ping_path,
            log_path=self.directory / f"{contestant.name}.log".replace(" ", "-"),
            cores=own_cores()[:1],
        ) as running:
            yield running

    def keep_answer(self, contestant: Contestant, running: Running, workload: Workload) -> None:
        """Keep an answer of median length, which the floor will give to every request."""
        answers = [ask(contestant, running.port, rows) for rows in workload.requests]
        answers.sort(key=len)
        self._answer_path(workload).write_bytes(answers[len(answers) // 2])

    def checked(self, contestant: Contestant, running: Running, workload: Workload) -> None:
        """Compare a contestant's answers with scikit-learn's; of the floor only that it answers.

        Raises:
            ContestantError: it answers something else
        """
        if contestant.role != "floor":
            check(contestant, running.port, workload)
        elif ask(contestant, running.port, workload.requests[0]) != (
            self._answer_path(workload).read_bytes()
        ):
            raise ContestantError("the floor does not answer its constant")

    def loaded(
        self,
        contestant: Contestant,
        running: Running,
        workload: Workload,
        *,
        clients: int,
        seconds: float,
    ) -> tuple[Load, float]:
        """Load a contestant with so many clients.

        Returns:
            what came back, and the processor time the server used for one request, in seconds

        Raises:
            ContestantError: ours, or the floor, refused or lost a request
        """
        bodies = self._bodies_path(contestant, workload)
        url = f"http://127.0.0.1:{running.port}{contestant.path}"
        cores = own_cores()[1:] or own_cores()
        used = running.cpu_seconds()
        load = run_wrk(url, bodies, connections=clients, seconds=seconds, cores=cores)
        used = running.cpu_seconds() - used
        if load.failures and contestant.role != "peer":
            raise ContestantError(f"{contestant.name} failed requests of {workload.name}: {load}")
        return load, used / load.requests

    def _answer_path(self, workload: Workload) -> Path:
        return self.directory / f"answer-{workload.model.name}-{workload.rows}.json"

    def _bodies_path(self, contestant: Contestant, workload: Workload) -> Path:
        name = f"{contestant.body.__name__}-{workload.model.name}-{workload.rows}.txt"
        path = self.directory / name
        if not path.exists():
            path.write_bytes(b"\n".join(map(contestant.body, workload.requests)) + b"\n")
        return path
