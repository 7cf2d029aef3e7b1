"""`greenlight rehearsal ...`: the one place where automation starts a rehearsal itself.

Everything else in this package reaches a rehearsal as it reaches AWS: by environment and URLs.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from automation import rehearsal_faults
from rehearsal import session as sessions

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY_VARIABLE = "GREENLIGHT_REHEARSAL"
DEFAULT_SPEED = 30.0
# The names a shell needs; everything else of the environment stays as it is.
OWN_PREFIXES = ("PULUMI_", "AWS_", "GREENLIGHT_")
# Hours of a manual clock are lived through second by second.
CLOCK_ANSWER_SECONDS = 3_600.0
# A large build context is copied and hashed first.
IMAGE_ANSWER_SECONDS = 600.0

app = typer.Typer(
    help="A cloud on this machine: start it, run commands in it, stop it.", no_args_is_help=True
)
console = Console(highlight=False)
image_app = typer.Typer(help="The images instances can be made of.", no_args_is_help=True)
clock_app = typer.Typer(help="The clock of a rehearsal with --clock manual.", no_args_is_help=True)
app.add_typer(rehearsal_faults.app, name="fault")
app.add_typer(image_app, name="image")
app.add_typer(clock_app, name="clock")

DirectoryOption = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        help=f"The rehearsal's folder; left out: ${DIRECTORY_VARIABLE}, else .rehearsal.",
    ),
]
SpeedOption = Annotated[
    float, typer.Option("--speed", help="Rehearsal seconds that pass in one second, 1 to 600.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", help="Seed of every random choice in the cloud.")
]
ClockOption = Annotated[
    sessions.Clock,
    typer.Option("--clock", help="manual: time stands still until `clock advance` moves it."),
]
RuntimeOption = Annotated[
    sessions.Runtime,
    typer.Option("--runtime", help="What an instance is: a process, or a Docker container."),
]
MaximumOption = Annotated[
    int | None,
    typer.Option("--maximum-instances", help="Instances at once; beyond it AWS has no capacity."),
]

DurationsOption = Annotated[
    sessions.Durations,
    typer.Option("--durations", help="aws: launches and failures take AWS's minutes."),
]


def directory_of(given: Path | None) -> Path:
    """Resolve the rehearsal's folder from the option, the environment or the default."""
    if given is not None:
        return given.resolve()
    named = os.environ.get(DIRECTORY_VARIABLE)
    return ROOT / ".rehearsal" if named is None else Path(named).resolve()


@app.command()
def start(
    directory: DirectoryOption = None,
    speed: SpeedOption = DEFAULT_SPEED,
    seed: SeedOption = 1,
    clock: ClockOption = sessions.Clock.SCALED,
    runtime: RuntimeOption = sessions.Runtime.PROCESS,
    maximum_instances: MaximumOption = None,
    durations: DurationsOption = sessions.Durations.FAST,
) -> None:
    """Start the rehearsal cloud and the provider stand-ins."""
    with _errors():
        options = sessions.CloudOptions(
            clock=clock,
            runtime=runtime,
            maximum_instances=maximum_instances,
            durations=durations,
        )
        session = sessions.start(
            directory_of(directory),
            root=ROOT,
            engine=sessions.choose_engine(os.environ),
            speed=speed,
            seed=seed,
            options=options,
        )
    _print_session(session)
    console.print(f"clock       {_pace(clock, session.speed)}")
    console.print(
        "Next: [bold]greenlight rehearsal run -- greenlight up iris --stage dev[/], "
        "or -- pulumi up -s dev --yes"
    )


@app.command()
def stop(directory: DirectoryOption = None) -> None:
    """Stop the rehearsal: every process ends, its state is dropped, logs stay."""
    with _errors():
        session = sessions.stop(directory_of(directory))
    console.print(f"rehearsal stopped; logs in {session.directory / 'logs'}")


@app.command()
def status(directory: DirectoryOption = None) -> None:
    """Show what runs: clock, endpoints' processes, engine."""
    with _errors():
        session = sessions.current(directory_of(directory))
    _print_session(session)
    told = tell_cloud(directory, "GET", "status")
    now = datetime.fromtimestamp(told["now"], UTC)
    pace = _pace(sessions.Clock(told["clock"]), told["speed"])
    console.print(f"clock       {now:%Y-%m-%d %H:%M:%S} UTC, {pace}")
    processes = told["processes"]
    table = Table("endpoint or job", "variant", "endpoint config", "container", "pid", "port")
    for process in processes:
        # A batch transform's instances have a job and neither variant nor config.
        owner = process.get("endpoint_name", process.get("transform_job_name", ""))
        names = (owner, process.get("variant_name", ""), process.get("endpoint_config_name", ""))
        table.add_row(*names, process["container"], str(process["pid"]), str(process["port"]))
    console.print(table if processes else "no instance is running")


@app.command()
def env(directory: DirectoryOption = None) -> None:
    """Print the rehearsal's environment as shell exports, for `eval`."""
    with _errors():
        session = sessions.current(directory_of(directory))
    for name, value in sorted(sessions.environment(session, os.environ).items()):
        if name == "PATH" or name.startswith(OWN_PREFIXES):
            typer.echo(f"export {name}={shlex.quote(value)}")


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    directory: DirectoryOption = None,
) -> None:
    """Run a command in the rehearsal: -- pulumi up -s dev --yes, -- aws ..., -- bash."""
    with _errors():
        session = sessions.current(directory_of(directory))
    environment = sessions.environment(session, os.environ)
    try:
        process = subprocess.Popen(command, env=environment)
    except FileNotFoundError as err:
        console.print(f"[red]error:[/] {command[0]}: no such command in the rehearsal's PATH")
        raise typer.Exit(127) from err
    while True:
        # The command got the same Ctrl-C and ends as it sees fit; leaving first would orphan it.
        with contextlib.suppress(KeyboardInterrupt):
            raise typer.Exit(process.wait())


@app.command()
def record(directory: DirectoryOption = None) -> None:
    """Print the cloud's own record as JSON: every event and sample, in order."""
    with _errors():
        session = sessions.current(directory_of(directory))
    typer.echo(json.dumps(sessions.ask(session, "record"), indent=2))


@image_app.command("add")
def add_image(
    uri: Annotated[str, typer.Argument(help="As in ECR: <account>.dkr.ecr.<region>...:<tag>.")],
    context: Annotated[Path, typer.Argument(help="The build context, with its Dockerfile.")],
    file: Annotated[
        Path | None, typer.Option("--file", help="The Dockerfile, where it lies elsewhere.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="The stage to stop at, of several.")
    ] = None,
    build_arg: Annotated[
        list[str] | None, typer.Option("--build-arg", help="NAME=VALUE; may be repeated.")
    ] = None,
    directory: DirectoryOption = None,
) -> None:
    """Make an image of a build context known, in place of `docker build` and `docker push`."""
    members: dict[str, Any] = {"image_uri": uri, "context": str(context.resolve())}
    if file is not None:
        members["dockerfile"] = str(file.resolve())
    if target is not None:
        members["target"] = target
    if build_arg is not None:
        members["args"] = dict(_name_and_value(text) for text in build_arg)
    digest = tell_cloud(directory, "POST", "images", members, seconds=IMAGE_ANSWER_SECONDS)
    console.print(f"{uri} is known as {digest['digest']}", soft_wrap=True)


def _name_and_value(text: str) -> tuple[str, str]:
    name, is_given, value = text.partition("=")
    if not name or not is_given:
        raise typer.BadParameter(f"--build-arg is {text!r}; it must be NAME=VALUE")
    return name, value


@clock_app.command()
def advance(
    seconds: Annotated[float, typer.Argument(min=0, help="Rehearsal seconds to live through.")],
    directory: DirectoryOption = None,
) -> None:
    """Move a manual clock forward; what falls due on the way has happened when this returns."""
    members = {"advance_seconds": seconds}
    moved = tell_cloud(directory, "POST", "clock", members, seconds=CLOCK_ANSWER_SECONDS)
    now = datetime.fromtimestamp(moved["now"], UTC)
    console.print(f"it is {now:%Y-%m-%d %H:%M:%S} UTC in the rehearsal")


@app.command()
def report(
    directory: DirectoryOption = None,
    output: Annotated[Path, typer.Option(help="Where the page goes.")] = Path(
        "rehearsal-report.html"
    ),
) -> None:
    """Write the record as one self-contained HTML page."""
    from rehearsal.report import write_report

    with _errors():
        session = sessions.current(directory_of(directory))
    write_report(sessions.ask(session, "record"), output)
    console.print(f"report written to {output}")


@app.command()
def replay(
    directory: DirectoryOption = None,
    history: Annotated[
        Path | None, typer.Option("--history", help="Whose; left out: the rehearsal's last run.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Another seed than that of the run.")
    ] = None,
) -> None:
    """Run a rehearsal again from its seed and its commands, and say what came out different."""
    source = directory_of(directory) / "logs" / "history" if history is None else history.resolve()
    words = ["--replay", str(source)] + ([] if seed is None else ["--seed", str(seed)])
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rehearsal.cloud", "--directory", folder, *words]
        done = subprocess.run(command, cwd=ROOT, check=False)
    raise typer.Exit(done.returncode)


@app.command()
def demo(
    directory: Annotated[Path, typer.Option(help="The demo's own rehearsal folder.")] = ROOT
    / ".rehearsal-demo",
    speed: SpeedOption = DEFAULT_SPEED,
    seed: SeedOption = 1,
    output: Annotated[Path, typer.Option(help="Where the report goes.")] = Path(
        "rehearsal-report.html"
    ),
) -> None:
    """Rehearse a whole release: up, canary, promotion, rollback, revert, destroy."""
    from automation.demo import run_demo

    with _errors():
        code = run_demo(
            ROOT, directory.resolve(), speed=speed, seed=seed, report=output, console=console
        )
    raise typer.Exit(code)


def tell_cloud(
    directory: Path | None,
    method: str,
    what: str,
    members: Mapping[str, Any] | None = None,
    *,
    seconds: float = sessions.ANSWER_SECONDS,
) -> dict[str, Any]:
    """Tell the running rehearsal's cloud something; a refusal ends the command."""
    with _errors():
        session = sessions.current(directory_of(directory))
        return sessions.tell(session, method, what, members, seconds=seconds)


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Turn a rehearsal's refusal into one line and exit code 1."""
    try:
        yield
    except sessions.RehearsalError as error:
        Console(stderr=True, highlight=False).print(f"[red]error:[/] {error}")
        raise typer.Exit(1) from error


def _print_session(session: sessions.Session) -> None:
    console.print(f"rehearsal   {session.directory}")
    console.print(f"cloud       {session.cloud_url}")
    console.print(f"engine      {session.engine.value}")
    console.print(f"providers   aws on {session.aws_port}, docker on {session.docker_port}")


def _pace(clock: sessions.Clock, speed: float) -> str:
    if clock is sessions.Clock.MANUAL:
        return "moved by hand: greenlight rehearsal clock advance SECONDS"
    return f"{speed:g} times as fast as the wall's"
