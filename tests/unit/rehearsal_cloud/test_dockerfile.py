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


STAGES = """
ARG VERSION=1
ARG BASE=python
FROM ${BASE} AS base
ARG VERSION
ARG COLOUR=red
LABEL com.example.version=$VERSION com.example.colour="${COLOUR}"
ENV WHERE=/srv/$VERSION PICKED=${MISSING:-else} SET=${COLOUR:+yes}
FROM base AS debug
ENV DEBUG=1
FROM base
ENTRYPOINT ["run"]
"""


def test_arguments_have_defaults_and_can_be_given() -> None:
    plain = plan_from_dockerfile(STAGES)
    given = plan_from_dockerfile(STAGES, arguments={"VERSION": "2", "UNUSED": "x"})

    assert dict(plain.environment) == {"WHERE": "/srv/1", "PICKED": "else", "SET": "yes"}
    assert dict(given.environment)["WHERE"] == "/srv/2"
    assert dict(given.labels) == {"com.example.version": "2", "com.example.colour": "red"}


def test_a_stage_goes_on_from_another_and_can_be_the_target() -> None:
    last = plan_from_dockerfile(STAGES)
    debug = plan_from_dockerfile(STAGES, target="debug")

    assert last.entrypoint == ("run",)
    assert "DEBUG" not in dict(last.environment)
    assert dict(debug.environment)["DEBUG"] == "1"
    assert dict(debug.labels) == dict(last.labels)
    assert debug.entrypoint == ()


def test_a_target_that_is_no_stage_is_refused() -> None:
    with pytest.raises(SetupError, match=r"target .test. is not a stage.*base, debug"):
        plan_from_dockerfile(STAGES, target="test")


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
