"""Reading Dockerfiles as far as a process needs."""

from __future__ import annotations

import pytest

from rehearsal.cloud.errors import SetupError
from rehearsal.cloud.fleets.dockerfile import Copy, plan_from_dockerfile


def test_the_last_stage_is_read_with_paths_made_absolute() -> None:
    plan = plan_from_dockerfile(
        """
        # comment
        FROM python AS build
        COPY other.txt /build/
        ENV LOST=1
        FROM python
        COPY --from=build /opt/venv /opt/venv
        WORKDIR /opt/program
        COPY --chown=1:1 server ./server
        COPY a.py b.py lib/
        ENV HOME_DIR=/opt/program \\
            NAME="two words"
        ENV LEGACY some value
        ENV COMBINED=$HOME_DIR/${NAME}
        ENTRYPOINT ["python", "-m", "server"]
        CMD ["serve"]
        """
    )

    assert plan.copies == (
        Copy(sources=("server",), destination="/opt/program/server"),
        Copy(sources=("a.py", "b.py"), destination="/opt/program/lib/"),
    )
    assert dict(plan.environment) == {
        "HOME_DIR": "/opt/program",
        "NAME": "two words",
        "LEGACY": "some value",
        "COMBINED": "/opt/program/two words",
    }
    assert plan.working_directory == "/opt/program"
    assert plan.entrypoint == ("python", "-m", "server")
    assert plan.command == ("serve",)


def test_shell_form_runs_under_a_shell_as_docker_runs_it() -> None:
    plan = plan_from_dockerfile("FROM x\nENTRYPOINT exec python server.py\n")

    assert plan.entrypoint == ("/bin/sh", "-c", "exec python server.py")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("COPY a b", "has no FROM"),
        ("FROM x\nFLY me", "an instruction FLY"),
        ("FROM x\nADD https://example.com/a /a", "fetches a URL"),
        ('FROM x\nENTRYPOINT ["a"', "is not the exec form"),
    ],
)
def test_what_cannot_be_run_is_refused(text: str, words: str) -> None:
    with pytest.raises(SetupError, match=words):
        plan_from_dockerfile(text)
